import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, describe, expect, test } from 'vitest';

import { startRedis } from '../../lab/services/redis.ts';
import { ADMIN, ALICE, BOB, createClient, startTestApp } from '../support/app.ts';
import { openEventStream, type StreamOptions } from '../support/event-stream.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

const app = await startTestApp({ environment: { ROLE: 'api', EVENTS_BEHIND_MAX: '3000' } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];
const writer = createFleetWriter(app.database);
let lastVmid = 5000;

/** Instances of its own for each test. */
async function create(...customers: readonly string[]): Promise<readonly number[]> {
  const instances = customers.map((customerId) => {
    lastVmid += 1;
    return { vmid: lastVmid, customerId };
  });
  await writer.create(instances);
  return instances.map(({ vmid }) => vmid);
}

async function head(): Promise<number> {
  const { rows } = await app.database.pool.query('SELECT last_seq FROM journal_head');
  return Number(rows[0].last_seq);
}

async function open(client: typeof alice, options: Partial<StreamOptions> = {}, url = app.url) {
  const stream = await openEventStream(url, { token: client.token, ...options });
  return stream;
}

const range = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('GET /api/servers/events', () => {
  test('begins with what there is, and goes on with each change', async () => {
    const [vmid = 0] = await create(ALICE);
    await until(
      async () => (await alice.call('GET', '/api/servers')).body.servers.at(-1)?.id === `${vmid}`,
      { what: 'the view to know it' },
    );
    const stream = await open(alice);
    await until(() => stream.events.length > 0, { what: 'the snapshot' });

    await writer.change([vmid]);
    await stream.waitFor(1);
    await writer.end(vmid);
    await stream.waitFor(2);
    stream.close();

    const [snapshot, change, end] = stream.events;
    expect(stream.headers['content-type']).toBe('text/event-stream');
    expect(snapshot).toMatchObject({ event: 'snapshot', id: (change?.id ?? 0) - 1 });
    expect(snapshot?.data.servers.at(-1)).toMatchObject({ id: String(vmid), revision: 1 });
    expect(change?.data).toMatchObject({
      seq: change?.id,
      id: String(vmid),
      revision: 2,
      type: 'agent.observed',
      regions: { provisioning: expect.anything() },
      server: { id: String(vmid), crashCount: 2, conditions: expect.any(Array) },
    });
    expect(end?.data).toMatchObject({ id: String(vmid), revision: 3, server: null });
  });

  test('tells everybody of his own servers, and an administrator of all', async () => {
    const [hers = 0, his = 0] = await create(ALICE, BOB);
    const [forAlice, forBob, forAdmin] = [await open(alice), await open(bob), await open(admin)];
    const onlyHers = await open(alice, { path: `/api/servers/${hers}/events` });

    const before = await head();
    for (let round = 0; round < 3; round += 1) await writer.change([hers, his]);
    await writer.end(hers);
    await writer.end(his);
    await forAdmin.waitFor(8);
    const since = (stream: typeof forAlice) =>
      stream.events.filter(({ id, event }) => event === 'change' && id > before);
    await until(() => since(forAlice).length === 4 && since(forBob).length === 4, {
      what: 'both to hear of their four',
    });
    await until(() => since(onlyHers).length === 4, { what: 'the stream of one server' });

    expect(since(forAdmin).map(({ id }) => id)).toEqual(range(before + 1, before + 8));
    expect(since(forAlice).every(({ data }) => data.id === String(hers))).toBe(true);
    expect(since(forBob).every(({ data }) => data.id === String(his))).toBe(true);
    expect(since(onlyHers)).toEqual(since(forAlice));
    for (const stream of [forAlice, forBob, forAdmin, onlyHers]) stream.close();

    // Nobody is told of somebody else's, not even that it exists.
    for (const path of [`/api/servers/${his}/events`, '/api/servers/5998/events']) {
      expect((await alice.call('GET', path)).body).toMatchObject({ error: 'not_found' });
    }
    // Whoever was away when it ended can still be told so.
    const back = await open(alice, {
      path: `/api/servers/${hers}/events`,
      lastEventId: before + 6,
    });
    await back.waitFor(1);
    back.close();
    expect(back.events[0]?.data).toMatchObject({ id: String(hers), server: null });
    expect(
      (await bob.call('GET', `/api/servers/${hers}/events?lastEventId=${before}`)).status,
    ).toBe(404);
  });

  test('resumes on another node, and after a restart, without a gap or a duplicate', async () => {
    const [vmid = 0] = await create(ALICE);
    const before = await head();
    const seen: number[] = [];
    let last = before;
    await using stack = new AsyncDisposableStack();
    for (const begin of [0, 20, 40]) {
      const node = stack.use(await app.startNode());
      for (let round = 0; round < 10; round += 1) await writer.change([vmid]);
      const stream = await open(alice, { lastEventId: last }, node.url ?? '');
      for (let round = 0; round < 10; round += 1) await writer.change([vmid]);
      await stream.waitFor(20);
      expect(stream.seqs().length, `from ${begin}`).toBe(20);
      await node[Symbol.asyncDispose]();
      await until(stream.hasEnded, { what: 'the stream to end with its node' });
      seen.push(...stream.seqs());
      last = stream.seqs().at(-1) ?? 0;
    }

    expect(seen).toEqual(range(before + 1, before + 60));
  });

  test('resumes over what only the database still knows', async () => {
    const vmids = await create(...range(1, 100).map(() => BOB));
    const before = await head();
    for (let round = 0; round < 25; round += 1) await writer.change(vmids);
    await using node = await app.startNode();

    const stream = await open(bob, { lastEventId: before + 7 }, node.url ?? '');
    await stream.waitFor(2_493);
    stream.close();

    expect(stream.seqs()).toEqual(range(before + 8, before + 2_500));
  });

  test('is gone for whoever is too far behind, or ahead of all that has happened', async () => {
    const vmids = await create(...range(1, 100).map(() => BOB));
    const before = await head();
    for (let round = 0; round < 31; round += 1) await writer.change(vmids);
    const ask = (id: number | string, path = '/api/servers/events') =>
      bob.call('GET', path, { headers: { 'last-event-id': String(id) } });
    await until(
      async () => {
        const stream = await open(bob, { lastEventId: before });
        stream.close();
        return stream.status === 410;
      },
      { what: 'the node to know' },
    );

    expect((await ask(before)).body).toMatchObject({ error: 'stale_cursor', status: 410 });
    expect((await ask((await head()) + 1)).body).toMatchObject({ error: 'stale_cursor' });
    expect((await ask('x')).body).toMatchObject({ error: 'invalid_input' });
    expect((await bob.call('GET', '/api/servers/events?lastEventId=-1')).status).toBe(400);
    expect((await app.anonymous.call('GET', '/api/servers/events')).status).toBe(401);
  });

  test('accepts what another node has told already, and this one has yet to follow', async () => {
    const [vmid = 0] = await create(ALICE);
    await writer.change([vmid]);
    const stream = await open(alice, { lastEventId: await head() });

    await writer.change([vmid]);
    await stream.waitFor(1);
    stream.close();

    expect(stream.seqs()).toEqual([await head()]);
  });

  test('does not skip a transaction that was held open while another one committed', async () => {
    const [slow = 0, fast = 0] = await create(ALICE, ALICE);
    const stream = await open(alice, { lastEventId: await head() });
    const before = await head();
    const held = await app.database.pool.connect();

    await held.query('BEGIN');
    await held.query('UPDATE journal_head SET last_seq = last_seq + 1');
    await held.query(
      `INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
       SELECT last_seq, $1, $2, 2, 'held', '{"type":"held"}', '{}' FROM journal_head`,
      [`${slow}-test`, slow],
    );
    const overtaking = writer.change([fast]);
    await until(
      async () => {
        const { rows } = await app.database.pool.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
           AND datname = current_database()`,
        );
        return rows.length > 0;
      },
      { what: 'the other commit to wait' },
    );
    await held.query('COMMIT');
    held.release();
    await overtaking;
    await stream.waitFor(2);
    stream.close();

    expect(stream.events.map(({ id, data }) => [id, data.type])).toEqual([
      [before + 1, 'held'],
      [before + 2, 'agent.observed'],
    ]);
  });
});

describe('an audit of fifty clients', () => {
  test('of three owners on two nodes, while Redis is emptied: each change once, in order', async () => {
    await using stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-redis-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const server = stack.use(await startRedis({ dataDir, cacheDir: '.cache' }));
    const redis = new Redis(server.url);
    stack.defer(() => redis.disconnect());
    const nodes = [
      stack.use(await app.startNode({ REDIS_URL: server.url })),
      stack.use(await app.startNode({ REDIS_URL: server.url })),
    ];
    const urls = nodes.map(({ url }) => url ?? '');
    const [hers = 0, his = 0, more = 0] = await create(ALICE, BOB, ALICE);
    const before = await head();
    const streams = await Promise.all(
      range(0, 49).map(async (index) => {
        const client = [alice, bob, admin][index % 3] as typeof alice;
        return { client, stream: await open(client, { lastEventId: before }, urls[index % 2]) };
      }),
    );

    // Most changes are told to nobody; the orders are, on the way that breaks meanwhile.
    for (let round = 0; round < 100; round += 1) {
      await Promise.all([writer.change([hers, his]), writer.change([more])]);
      if (round % 10 !== 0) continue;
      const order = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
      const node = createClient(urls[round % 20 === 0 ? 0 : 1] ?? '', alice.token);
      expect((await node.call('POST', '/api/instances', { body: order })).status).toBe(202);
      await redis.flushall();
      if (round === 50) await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    }
    await Promise.all(
      streams.map(({ client, stream }) =>
        stream.waitFor(client === admin ? 310 : client === alice ? 210 : 100),
      ),
    );
    for (const { stream } of streams) stream.close();

    const { rows } = await app.database.pool.query(
      `SELECT j.seq::int, c.customer_id FROM journal j
       JOIN container_instance c ON c.id = j.instance_id WHERE j.seq > $1 ORDER BY j.seq`,
      [before],
    );
    expect(rows).toHaveLength(310);
    for (const { client, stream } of streams) {
      const owner = client === alice ? ALICE : BOB;
      const owed = rows.filter((row) => client === admin || row.customer_id === owner);
      expect(stream.seqs()).toEqual(owed.map(({ seq }) => seq));
    }
  });
});
