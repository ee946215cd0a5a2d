import { createServer } from 'node:http';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { createInspectUpgrade, INSPECT_PATH } from '../../src/http/inspect/upgrade.ts';
import { attachUpgrades } from '../../src/http/upgrades.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { ADMIN, ALICE, type Client, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];
const WAIT = { prefer: 'wait=20' };
const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
type Message = any;

/** As the page of the Stately inspector would hear it. */
async function inspect(query: string, by: Pick<Client, 'token'> = admin, headers = {}) {
  const url = `${app.url.replace('http', 'ws')}${INSPECT_PATH}${query}`;
  const socket = new WebSocket(url, {
    headers: { authorization: `Bearer ${by.token}`, ...headers },
  });
  const messages: Message[] = [];
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  const status = await new Promise<number>((resolve, reject) => {
    socket.on('open', () => resolve(101));
    socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
    socket.on('error', (error) => reject(error));
  });
  return { status, messages, [Symbol.dispose]: () => socket.terminate() };
}

async function create(): Promise<number> {
  const { body } = await alice.call('POST', '/api/instances', { body: ORDER, headers: WAIT });
  if (body.operation?.state !== 'succeeded') throw new Error(JSON.stringify(body));
  return body.vmid;
}

describe('whoever watches an instance', () => {
  let [watched, other] = [0, 0];
  beforeAll(async () => {
    [watched, other] = await Promise.all([create(), create()]);
  });

  test('is told of it as of a live actor, of its every step, and of no other', async () => {
    using watcher = await inspect(`?vmid=${watched}`);
    const stop = (vmid: number) =>
      alice.call('POST', `/api/servers/${vmid}/host/stop`, { headers: WAIT });
    const stopped = await Promise.all([stop(watched), stop(other)]);
    const last = await until(
      () => watcher.messages.findLast(({ snapshot }) => snapshot?.value.host === 'stopped'),
      { what: 'the stop to be told' },
    );

    expect(stopped.map(({ status }) => status)).toEqual([200, 200]);
    const [actor, ...steps] = watcher.messages as [Message, ...Message[]];
    const { sessionId } = actor;
    expect(actor).toMatchObject({ type: '@xstate.actor', name: 'instance', rootId: sessionId });
    expect(Object.keys(JSON.parse(actor.definition).states)).toContain('provisioning');
    expect(actor.snapshot).toMatchObject({
      ...{ status: 'active', value: { provisioning: 'ready', host: 'running' } },
      context: { vmid: watched },
    });
    expect(steps.length).toBeGreaterThan(2);
    expect(new Set(watcher.messages.map((message) => message.sessionId))).toEqual(
      new Set([sessionId]),
    );
    expect(steps.filter(({ type }) => type === '@xstate.event').length).toBe(steps.length / 2);
    expect(last).toMatchObject({
      ...{ type: '@xstate.snapshot', rootId: sessionId, _version: expect.any(String) },
      event: { type: expect.stringMatching(/./) },
    });
  });

  test('is told of one that begins later under its number, and of the end', async () => {
    const vmid = await create();
    using watcher = await inspect(`?vmid=${vmid}`);
    await alice.call('DELETE', `/api/containers/${vmid}?force=true`, { headers: WAIT });

    const end = await until(
      () => watcher.messages.findLast(({ snapshot }) => snapshot?.status === 'done'),
      { what: 'the end to be told' },
    );

    expect(end.snapshot.value).toMatchObject({ provisioning: 'deleted' });
  });
});

test('on a node of INSPECT=1 all may be watched', async () => {
  const vmid = await create();
  await using node = await app.startNode({ INSPECT: '1' });
  const url = `${(node.url ?? '').replace('http', 'ws')}${INSPECT_PATH}`;
  const socket = new WebSocket(url, { headers: { authorization: `Bearer ${admin.token}` } });
  const seen: number[] = [];
  socket.on('message', (data) => seen.push(JSON.parse(String(data)).snapshot?.context?.vmid));

  await until(() => seen.includes(vmid), { what: 'the instance to be told of' });
  socket.terminate();
});

describe('nobody else is told of anything:', () => {
  test.each([
    ['a customer', '?vmid=5001', () => alice, {}, 403],
    ['nobody', '?vmid=5001', () => ({ token: '' }), {}, 401],
    [
      'who comes by way of a proxy',
      '?vmid=5001',
      () => admin,
      { 'x-forwarded-for': '1.2.3.4' },
      403,
    ],
    ['who does not say what to watch', '', () => admin, {}, 400],
    ['who watches what is no number', '?vmid=all', () => admin, {}, 400],
  ])('%s', async (_, query, by, headers, expected) => {
    using watcher = await inspect(query, by(), headers);

    expect(watcher.status).toBe(expected);
    expect(watcher.messages).toEqual([]);
  });
});

test('whose sign-in has ended is sent away', async () => {
  await using opened = new AsyncDisposableStack();
  let isIn = true;
  const taker = createInspectUpgrade({
    watching: { watch: () => ({ [Symbol.dispose]() {} }) },
    authenticate: async () => ({ userId: 'u', role: 'admin', credentialId: 's', scopes: null }),
    findRoles: async () => new Map(isIn ? [['s', 'admin']] : []),
    ...{ isOpenToAll: true, isRemote: false, now: Date.now },
    limits: { heartbeatMs: 10_000, recheckMs: 10 },
    closing: new AbortController().signal,
  });
  const server = createServer();
  attachUpgrades(server, [taker], createLogger('silent'));
  opened.defer(async () => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const socket = new WebSocket(`ws://127.0.0.1:${port}${INSPECT_PATH}`);
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await new Promise((resolve) => socket.on('open', resolve));

  isIn = false;

  expect(await closed).toBe(4403);
});
