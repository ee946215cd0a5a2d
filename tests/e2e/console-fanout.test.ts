import { once } from 'node:events';

import { expect, inject, test } from 'vitest';
import { WebSocket } from 'ws';

import { setUp, TERRARIA } from '../lab/agent-world.ts';
import { startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

const VMID = 5_001;
const VIEWERS = 1_000;
const AT_ONCE = 100;
const AGENT_TOKEN = 'the token of the agent of this console';

type Frame =
  | { readonly type: 'hello'; readonly epoch: string; readonly from: number }
  | { readonly type: 'output'; readonly offset: number; readonly lines: readonly string[] }
  | { readonly type: 'notice'; readonly agent: string }
  | { readonly type: 'gap' };

/** All get the same texts: each is read once. */
function createReader(): (text: string) => Frame {
  const known = new Map<string, Frame>();
  return (text) => {
    const before = known.get(text);
    if (before) return before;
    if (known.size > 200) known.clear();
    const frame = JSON.parse(text) as Frame;
    known.set(text, frame);
    return frame;
  };
}

/** One who looks from the first line on, and goes on elsewhere when his node dies. */
function createViewer(token: string, read: (text: string) => Frame) {
  const lines: string[] = [];
  const mistakes: string[] = [];
  const notices: string[] = [];
  let epoch: string | null = null;
  let socket: WebSocket | undefined;
  let hellos = 0;

  function take(frame: Frame): void {
    if (frame.type === 'hello') {
      hellos += 1;
      if (frame.from !== lines.length) mistakes.push(`goes on at ${frame.from}`);
      if (epoch !== null && epoch !== frame.epoch) mistakes.push('another log');
      epoch = frame.epoch;
    } else if (frame.type === 'output') {
      if (frame.offset !== lines.length) mistakes.push(`${frame.offset} at ${lines.length}`);
      lines.push(...frame.lines);
    } else if (frame.type === 'notice') {
      notices.push(frame.agent);
    } else {
      mistakes.push('a gap');
    }
  }

  return {
    ...{ lines, mistakes, notices },
    isCut: () => socket?.readyState === WebSocket.CLOSED,
    async open(url: string): Promise<void> {
      const address = new URL(`/api/servers/${VMID}/console`, url.replace('http', 'ws'));
      address.searchParams.set('from', String(lines.length));
      if (epoch !== null) address.searchParams.set('epoch', epoch);
      const headers = { authorization: `Bearer ${token}` };
      const opened = new WebSocket(address, 'zpack.console.v1', { headers });
      socket = opened;
      opened.on('message', (data) => take(read(String(data))));
      const before = hellos;
      await once(opened, 'open');
      opened.on('error', () => {});
      await until(() => hellos > before, { what: 'a hello', timeoutMs: 20_000 });
    },
    close: () => socket?.terminate(),
  };
}

type Viewer = ReturnType<typeof createViewer>;

async function openAll(viewers: readonly Viewer[], url: string): Promise<void> {
  for (let from = 0; from < viewers.length; from += AT_ONCE) {
    await Promise.all(viewers.slice(from, from + AT_ONCE).map((viewer) => viewer.open(url)));
  }
}

/** The log of the agent, which is what everybody ought to have seen. */
async function readSource(url: string): Promise<readonly string[]> {
  const lines: string[] = [];
  for (;;) {
    const headers = { authorization: `Bearer ${AGENT_TOKEN}` };
    const answer = await fetch(`${url}/console/log?from=${lines.length}`, { headers });
    const page = (await answer.json()) as { readonly next: number; readonly lines: string[] };
    lines.push(...page.lines);
    if (lines.length >= page.next) return lines;
  }
}

test('a thousand see what the game has said, each line once, though agent and node are killed', {
  timeout: 90_000,
}, async () => {
  await using database = await createTestDatabase();
  await using game = await setUp({ token: AGENT_TOKEN });
  await using world = await startCrashWorld({
    ...{ database, redisUrl: inject('redisUrl'), programs: inject('programs') },
    environment: { ZLH_AGENT_PORT: '18888', ZLH_AGENT_TOKEN: AGENT_TOKEN },
  });
  const warnings: string[] = [];
  const warn = (warning: Error) => warnings.push(`${warning.name}: ${warning.message}`);
  process.on('warning', warn);
  await using _ = { [Symbol.asyncDispose]: async () => void process.off('warning', warn) };

  await game.agent.configure(TERRARIA);
  await game.agent.reached('running');
  const writer = createFleetWriter(database);
  await writer.create([{ vmid: VMID, customerId: 'u-carol' }]);
  const running = { provisioning: 'ready', host: 'running', agent: 'ready' };
  await writer.change([VMID], { ip: game.agent.host }, running);
  const [dying, staying] = await Promise.all([
    world.nodes.start({ role: 'api' }),
    world.nodes.start({ role: 'api' }),
  ]);
  const login = await fetch(`${staying.url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(world.account),
  });
  const { token } = (await login.json()) as { readonly token: string };
  let said = 0;
  const say = async (count: number) => {
    for (const end = said + count; said < end; said += 1) {
      await game.agent.send('POST', '/console/command', { command: `say ${said}` });
    }
  };

  const read = createReader();
  const viewers = Array.from({ length: VIEWERS }, () => createViewer(token, read));
  const [there, here] = [viewers.slice(0, VIEWERS / 2), viewers.slice(VIEWERS / 2)];
  await Promise.all([openAll(there, dying.url ?? ''), openAll(here, staying.url ?? '')]);
  await say(60);
  await game.restart();
  await game.agent.reached('running');
  await say(60);
  const saying = say(60);
  await dying.kill();
  await saying;
  await until(() => there.every((viewer) => viewer.isCut()), { what: 'all to be cut off' });
  const reopening = openAll(there, staying.url ?? '');
  await game.restart();
  await game.agent.reached('running');
  await reopening;
  await say(60);
  const source = await until(
    async () => {
      const lines = await readSource(game.agent.url);
      return lines.at(-1)?.endsWith(`say ${said - 1}`) && lines;
    },
    { what: 'the game to have said all' },
  );
  const isDone = ({ lines }: Viewer) => lines.length >= source.length;
  await until(() => viewers.every(isDone), { what: 'all to have seen all', timeoutMs: 20_000 });
  for (const viewer of viewers) viewer.close();

  const others = viewers.filter(
    ({ lines }) => lines.length !== source.length || lines.some((line, at) => line !== source[at]),
  );
  expect(viewers.flatMap(({ mistakes }) => mistakes)).toEqual([]);
  expect(others.map(({ lines }) => lines.length)).toEqual([]);
  expect(source.length).toBeGreaterThan(240);
  // Both restarts of the agent were seen, and the node was there again by itself.
  const restarts = here.map(({ notices }) => notices.join(' '));
  expect(new Set(restarts)).toEqual(new Set(['away back away back']));
  expect(dying.generation).toBe(2);
  expect(warnings).toEqual([]);
  expect(world.nodes.notes().filter((note) => /warning/i.test(note))).toEqual([]);
});
