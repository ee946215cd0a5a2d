import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { createAgentConsole } from '../../src/clients/agent/console.ts';
import type { Principal } from '../../src/http/auth/principal.ts';
import {
  CONSOLE_LIMITS,
  type ConsoleLimits,
  createConsoleHub,
} from '../../src/http/console/hub.ts';
import { createConsoleTaker } from '../../src/http/console/taker.ts';
import { attachUpgrades } from '../../src/http/upgrades.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createFleet, type FleetEntry } from '../../src/view/fleet.ts';
import { startConsoleAgent } from '../support/console-agent.ts';
import { openViewer, type ViewerOptions } from '../support/console-viewer.ts';
import { serve } from '../support/instance-life.ts';
import { until } from '../support/until.ts';

const VMID = 5_001;
const OWNER: Principal = { userId: 'u-1', role: 'user', credentialId: 's-1', scopes: null };

function entryOf(vmid: number): FleetEntry {
  const { value, context } = serve().state;
  const own = { vmid, customerId: OWNER.userId, ctype: 'game' as const, ip: '127.0.0.1' };
  const state = { value, context: { ...context, ...own }, since: {} };
  const at = new Date();
  const dates = { createdAt: at, updatedAt: at, derived: new Map() };
  const id = `${vmid}-test`;
  return { id, vmid, version: 1, customerId: OWNER.userId, state, ...dates } as FleetEntry;
}

/** The consoles of a node with other limits, without the rest of it. */
async function setUp(limits: Partial<ConsoleLimits> = {}, bytesPerS = 100 * 1024 * 1024) {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-console-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const agent = opened.use(await startConsoleAgent(join(folder, 'log')));
  const consoles = opened.use(
    createAgentConsole({
      ...{ ...agent, timeoutMs: 1_000, silentMaxMs: 200, bytesPerS },
      randomId: () => String(Math.random()).slice(2),
    }),
  );
  const fleet = createFleet();
  fleet.take([entryOf(VMID), entryOf(VMID + 1)]);
  const closing = new AbortController();
  const configured = { viewersMax: 100, viewersEachMax: 100, ringBytes: 64 * 1024 };
  const all = { ...CONSOLE_LIMITS, ...configured, awayMaxMs: 60_000, ...limits };
  const findRoles = async () => new Map([[OWNER.credentialId, OWNER.role] as const]);
  const typed: string[] = [];
  const typing = { done: Promise.resolve() };
  const sendCommand = async ({ text }: { readonly text: string }) => {
    typed.push(text);
    await typing.done;
  };
  const now = Date.now;
  const hub = createConsoleHub({
    ...{ consoles, fleet, limits: all, findRoles, now, random: () => 0.5 },
    ...{ sendCommand, logger: createLogger('silent'), closing: closing.signal },
  });
  const taker = createConsoleTaker({
    ...{ hub, findRoles, now, corsOrigins: [], commandBytesMax: all.commandBytesMax },
    ...{ authenticate: async () => OWNER, tickets: { take: async () => null } },
    find: async (vmid) => fleet.get(vmid) ?? null,
  });
  const server = createServer();
  attachUpgrades(server, [taker], createLogger('silent'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.defer(() => new Promise<void>((resolve) => server.close(() => resolve())));
  opened.defer(() => closing.abort());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const end = opened.move();
  return {
    ...{ agent, hub, typed, typing, closing },
    open: (options: ViewerOptions = {}, vmid = VMID) => openViewer(url, vmid, options),
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
}

const LONG = 'x'.repeat(8_000);

test('a viewer that stops reading costs nobody anything, and is told what it has missed', async () => {
  await using t = await setUp();
  const [slow, other] = [await t.open(), await t.open()];
  await slow.got('hello');
  slow.socket.pause();
  for (let round = 0; round < 100; round += 1) {
    t.agent.say(...Array.from({ length: 25 }, (_, n) => `${round}-${n} ${LONG}`));
    await until(() => other.lines.length === (round + 1) * 25, { what: `round ${round}` });
  }
  slow.socket.resume();
  await until(() => slow.lines.at(-1)?.[0] === 2_499, { what: 'the slow one to catch up' });

  const gaps: readonly { from: number; to: number }[] = slow.of('gap');
  const missed = gaps.reduce((sum, { from, to }) => sum + to - from, 0);
  expect(other.lines.map(([offset]) => offset)).toEqual([...Array(2_500).keys()]);
  expect(missed).toBeGreaterThan(0);
  expect(slow.lines.length + missed).toBe(2_500);
  expect(t.hub.counts().missedLines).toBe(missed);
});

test('a console takes so many viewers and no more, and a node so many in all', async () => {
  await using t = await setUp({ viewersEachMax: 2, viewersMax: 3 });
  const kept = [await t.open(), await t.open()];
  const third = await t.open();
  const elsewhere = await t.open({}, VMID + 1);
  const fourth = await t.open({}, VMID + 1);
  const closes = [await third.waitClosed(), await fourth.waitClosed()];
  await kept[0]?.close();
  await until(() => t.hub.counts().viewers === 2, { what: 'a place to be free' });
  const again = await t.open();
  await again.got('hello');

  const overloaded = { code: 4429, reason: { reason: 'overloaded', retryAfterS: 5 } };
  expect(closes).toEqual([overloaded, overloaded]);
  expect([elsewhere.closed(), again.closed()]).toEqual([undefined, undefined]);
});

test('a viewer that is not there any more is noticed', async () => {
  await using t = await setUp({ heartbeatMs: 100 });
  const [dead, alive] = [await t.open(), await t.open()];
  dead.socket.pause();
  await until(() => t.hub.counts().viewers === 1, { what: 'the dead one to go' });

  expect(alive.closed()).toBeUndefined();
});

test('an agent that is away for too long is said to be gone, and is tried on', async () => {
  await using t = await setUp({ awayMaxMs: 300, retryMs: { min: 20, max: 50 } });
  const viewer = await t.open();
  await viewer.got('hello');
  await t.agent.stop();
  const closed = await viewer.waitClosed();
  const later = await t.open();
  await t.agent.start();
  await later.got('notice', 2);

  expect(closed).toEqual({ code: 4503, reason: { reason: 'agent_gone', retryAfterS: 10 } });
  expect(later.of('notice').map(({ agent }) => agent)).toEqual(['away', 'back']);
});

test('an agent that says nothing any more is asked anew, and what it had to say is seen once', async () => {
  await using t = await setUp({ retryMs: { min: 20, max: 50 } });
  t.agent.say('before');
  const viewer = await t.open();
  await viewer.saw('before');
  t.agent.freeze();
  t.agent.say('meanwhile');
  await viewer.got('notice', 2);
  await viewer.saw('meanwhile');

  expect(viewer.of('notice').map(({ agent }) => agent)).toEqual(['away', 'back']);
  expect(viewer.lines).toEqual(t.agent.log());
});

test('what lies further back is waited for while the agent is away', async () => {
  await using t = await setUp({ retryMs: { min: 20, max: 50 } });
  for (let n = 0; n < 700; n += 1) t.agent.say(`${n}`);
  const first = await t.open();
  await first.saw('699');
  await t.agent.stop();
  const late = await t.open({ query: { from: 0 } });
  await late.got('notice');
  const before = late.lines.length;
  await t.agent.start();
  await late.saw('699');

  expect(before).toBe(0);
  expect(late.lines).toEqual(t.agent.log());
});

test('an agent of before is numbered by us, with another log for each connection', async () => {
  await using t = await setUp();
  t.agent.answers.isBare = true;
  t.agent.say('one');
  const viewer = await t.open();
  await viewer.saw('one');
  t.agent.say('two');
  await viewer.saw('two');
  const first = await viewer.got('hello');
  const before = [...viewer.lines];
  await t.agent.stop();
  await t.agent.start();
  const second = await viewer.got('hello', 2);

  expect(before).toEqual([
    [0, 'one'],
    [1, 'two'],
  ]);
  expect(first.epoch).toMatch(/^bare-/);
  expect(second.epoch).not.toBe(first.epoch);
});

test('one connection to the agent lasts a little longer than the last viewer', async () => {
  await using t = await setUp({ lingerMs: 100 });
  const viewer = await t.open();
  await viewer.got('hello');
  const during = t.agent.connections();
  await viewer.close();
  await until(() => t.agent.connections() === 0, { what: 'the connection to end' });

  expect(during).toBe(1);
  expect(t.hub.counts()).toMatchObject({ viewers: 0, live: 0, away: 0 });
});

test('a frame that is too large ends the connection of who has sent it', async () => {
  await using t = await setUp();
  const [large, other] = [await t.open(), await t.open()];
  large.send('x'.repeat(20_000));
  const { code } = await large.waitClosed();

  expect(code).toBe(1009);
  expect(other.closed()).toBeUndefined();
});

test('whoever asks and asks, and reads no answer, is cut off', async () => {
  await using t = await setUp();
  const [greedy, other] = [await t.open(), await t.open()];
  await greedy.got('hello');
  greedy.socket.pause();
  const payload = Buffer.alloc(125);
  await until(
    () => {
      for (let n = 0; n < 20_000; n += 1) greedy.socket.ping(payload);
      return t.hub.counts().viewers === 1;
    },
    { what: 'the greedy one to go' },
  );

  expect(other.closed()).toBeUndefined();
});

test('a game that floods its console is read at our pace, and nothing of it is lost', async () => {
  await using t = await setUp({}, 512 * 1024);
  const viewer = await t.open();
  await viewer.got('hello');
  const at = performance.now();
  for (let n = 0; n < 90; n += 1) t.agent.say(`${n} ${LONG}`);
  await until(() => viewer.lines.length === 90, { what: 'all of it' });

  expect(performance.now() - at).toBeGreaterThan(900);
  expect(viewer.lines).toEqual(t.agent.log());
});

test('what waits to be typed is not, once its console is closed', async () => {
  await using t = await setUp();
  const viewer = await t.open();
  const release = Promise.withResolvers<void>();
  t.typing.done = release.promise;
  for (const id of ['1', '2']) viewer.send({ type: 'command', id, text: id });
  await until(() => t.typed.length === 1, { what: 'the first to be on its way' });
  t.closing.abort();
  viewer.send({ type: 'command', id: '3', text: '3' });
  release.resolve();
  const { code } = await viewer.waitClosed();

  expect(code).toBe(1012);
  expect(t.typed).toEqual(['1']);
});

test('who has seen more on another node than this one has heard of waits, and sees nothing twice', async () => {
  await using t = await setUp();
  t.agent.say('0', '1');
  const ahead = await t.open({ query: { from: 4 } });
  await ahead.got('hello');
  t.agent.say('2', '3', '4', '5');
  await ahead.saw('5');

  expect(ahead.lines).toEqual([
    [4, '4'],
    [5, '5'],
  ]);
});

test('what an agent has forgotten is a gap, and not the end', async () => {
  await using t = await setUp();
  for (let n = 0; n < 1_500; n += 1) t.agent.say(`${n} ${LONG}`);
  const viewer = await t.open({ query: { from: 0 } });
  await until(() => viewer.lines.at(-1)?.[0] === 1_499, { what: 'the last line' });

  const [gap] = viewer.of('gap');
  expect(gap).toMatchObject({ from: 0, to: t.agent.log()[0]?.[0] });
  expect(viewer.lines).toEqual(t.agent.log());
});
