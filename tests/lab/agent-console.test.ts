import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { openConsoleLog } from '../../lab/agent/console-log.ts';
import { createOnce } from '../../lab/agent/once.ts';
import { until } from '../support/until.ts';
import { setUp, TERRARIA } from './agent-world.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zpack-log-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LIMITS = { segmentLines: 10, segmentBytes: 1_000, segmentsMax: 3 };

test('a log that is opened again goes on with its numbers', () => {
  const first = openConsoleLog(folder);
  for (const line of ['a', 'b', 'c']) first.append(line);
  const second = openConsoleLog(folder);
  second.append('d');

  expect(second.epoch).toBe(first.epoch);
  expect([second.first(), second.next()]).toEqual([0, 4]);
  expect(second.read(1, 10)).toEqual(['b', 'c', 'd']);
});

test('a log keeps its latest files, and never the number of a line for another one', () => {
  const log = openConsoleLog(folder, LIMITS);
  for (let n = 0; n < 45; n += 1) log.append(`line ${n}`);

  expect([log.first(), log.next()]).toEqual([20, 45]);
  expect(log.read(20, 2)).toEqual(['line 20', 'line 21']);
  expect(log.read(40, 99)).toEqual([40, 41, 42, 43, 44].map((n) => `line ${n}`));
  expect(openConsoleLog(folder, LIMITS).next()).toBe(45);
});

test('a line that was being written when the agent died was told to nobody, and goes', () => {
  const log = openConsoleLog(folder);
  log.append('whole');
  const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.log'));
  appendFileSync(join(folder, file), 'torn');
  const again = openConsoleLog(folder);
  again.append('next');

  expect(again.read(0, 10)).toEqual(['whole', 'next']);
});

test('a log that was lost begins anew as another one', () => {
  const log = openConsoleLog(folder);
  log.append('lost');
  rmSync(join(folder, 'epoch'));
  const again = openConsoleLog(folder);

  expect(again.epoch).not.toBe(log.epoch);
  expect(again.next()).toBe(0);
});

test('what has an id is done once, unless it failed', () => {
  const once = createOnce();
  const done: string[] = [];
  const act = (name: string) => () => void done.push(name);
  once('1', act('a'));
  once('1', act('b'));
  once(undefined, act('c'));
  once(undefined, act('d'));
  expect(() =>
    once('2', () => {
      throw new Error('no game runs');
    }),
  ).toThrow();
  once('2', act('e'));

  expect(done).toEqual(['a', 'c', 'd', 'e']);
});

test('an agent that is killed goes on with the numbers of its console, for who asks with its name', async () => {
  await using t = await setUp();
  await t.agent.configure(TERRARIA);
  await t.agent.reached('running');
  const before = await watch(t.agent.url, '');
  await before.until(/listens/);
  await t.restart();
  await t.agent.reached('running');
  const from = before.lines.length;
  const after = await watch(t.agent.url, `&from=${from}&epoch=${before.hello().epoch}`);
  await after.until(/listens/);

  expect(after.hello()).toMatchObject({ epoch: before.hello().epoch, from });
  const page = await t.agent.send('GET', '/console/log?from=0');
  expect(page.body['lines']).toEqual([...before.lines, ...after.lines]);
  expect((await t.agent.send('GET', '/console/log?from=x')).status).toBe(400);
});

async function watch(url: string, query: string) {
  const address = `${url.replace('http', 'ws')}/console/stream?protocol=zpack.console.v1${query}`;
  const socket = new WebSocket(address);
  let hello: { readonly epoch: string; readonly from: number } | undefined;
  const lines: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const frame = JSON.parse(String(data));
    if (frame.type === 'hello') hello = frame;
    else lines.push(...frame.lines);
  });
  await until(() => hello, { what: 'a hello' });
  return {
    lines,
    hello: () => hello as NonNullable<typeof hello>,
    until: (pattern: RegExp) =>
      until(() => lines.some((line) => pattern.test(line)), { what: String(pattern) }),
  };
}
