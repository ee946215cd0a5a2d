import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { DEV, setUp, TERRARIA } from './agent-world.ts';

/** The status of its page; 0 if nobody answers. */
const look = async (host: string): Promise<number> =>
  (await fetch(`http://${host}:8080/headers`).catch(() => null))?.status ?? 0;

const reached = (host: string, status: number) =>
  until(async () => (await look(host)) === status, { what: `the IDE to answer ${status}` });

test('a dev container has an IDE from its start, which is stopped and started by itself', async () => {
  await using t = await setUp();
  const { agent } = t;
  await agent.configure(DEV);
  await agent.reached('running');
  await reached(agent.host, 200);

  const stop = await agent.send('POST', '/dev/codeserver/stop');
  expect([stop.status, await look(agent.host)]).toEqual([202, 0]);
  expect((await agent.status()).state).toBe('running');
  await agent.send('POST', '/dev/codeserver/start');
  await reached(agent.host, 200);
  // However often it is asked for.
  await agent.send('POST', '/dev/codeserver/start');
  await agent.send('POST', '/dev/codeserver/restart');
  await reached(agent.host, 200);
  await t.restart();
  await reached(t.agent.host, 200);
});

test('what is typed in its terminal is done in the folder of the container', async () => {
  await using t = await setUp();
  await t.agent.configure(DEV);
  await reached(t.agent.host, 200);
  const socket = new WebSocket(`ws://${t.agent.host}:8080/terminal`);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  socket.send('write ../../escaped.txt hello');
  const file = join(t.root, 'home', 'dev', 'escaped.txt');

  await until(() => existsSync(file), { what: 'the file' });

  expect(readFileSync(file, 'utf8')).toBe('hello\n');
  socket.close();
});

test('a game has none', async () => {
  await using t = await setUp();
  expect((await t.agent.send('POST', '/dev/codeserver/start')).body).toMatchObject({
    error: 'not_configured',
  });
  await t.agent.configure(TERRARIA);
  await t.agent.reached('running');

  const answer = await t.agent.send('POST', '/dev/codeserver/start');

  expect(answer).toMatchObject({ status: 409, body: { error: 'not_a_dev_container' } });
  expect(await look(t.agent.host)).toBe(0);
});
