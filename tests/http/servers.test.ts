import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';

import { startRedis } from '../../lab/services/redis.ts';
import { serverView, statusView } from '../../src/http/server-view.ts';
import { createLiveFeed } from '../../src/storage/live-feed.ts';
import { ADMIN, ALICE, BOB, createClient, startTestApp } from '../support/app.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

// Nothing but the test changes these instances: there is no worker.
const app = await startTestApp({ environment: { ROLE: 'api' } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];
const writer = createFleetWriter(app.database);
const DEV = { ctype: 'dev', hostname: 'dev-node' } as const;
await writer.create([
  { vmid: 5001, customerId: ALICE },
  { vmid: 5002, customerId: BOB },
  { vmid: 5003, customerId: ALICE },
  { vmid: 6001, customerId: ALICE, more: DEV },
]);
const list = async (client: typeof alice, query = '') =>
  (await client.call('GET', `/api/servers${query}`)).body;
const idsOf = (body: { servers: { id: string }[] }) => body.servers.map(({ id }) => id);
await until(async () => (await list(admin)).servers.length === 4, { what: 'four servers' });

describe('GET /api/servers', () => {
  test('has mine in the order of their VMIDs; for an administrator, all', async () => {
    expect(idsOf(await list(alice))).toEqual(['5001', '5003', '6001']);
    expect(idsOf(await list(bob))).toEqual(['5002']);
    expect(idsOf(await list(admin))).toEqual(['5001', '5002', '5003', '6001']);
    expect(await list(alice)).not.toHaveProperty('nextCursor');
  });

  test('answers what is documented, though nothing is checked again on its way', async () => {
    const { servers } = await list(admin);
    const { body } = await admin.call('GET', '/api/servers/5001/status');

    expect(z.array(z.strictObject(serverView.shape)).safeParse(servers).error).toBeUndefined();
    expect(z.strictObject(statusView.shape).safeParse(body).error).toBeUndefined();
    expect(body).toMatchObject(
      Object.fromEntries(Object.entries(servers[0]).filter(([name]) => name !== 'ages')),
    );
    expect(servers[0]).toMatchObject({
      id: '5001',
      category: 'GAME',
      status: 'installing',
      agentReady: false,
      allowedActions: expect.arrayContaining(['delete']),
    });
  });

  test('pages with a limit', async () => {
    const first = await list(admin, '?limit=3');
    const second = await list(admin, `?limit=3&cursor=${first.nextCursor}`);

    expect(idsOf(first)).toEqual(['5001', '5002', '5003']);
    expect(first.nextCursor).toBe('5003');
    expect(idsOf(second)).toEqual(['6001']);
    expect(second.nextCursor).toBeNull();
    expect((await list(admin, '?limit=4')).nextCursor).toBeNull();
  });

  test.each([
    ['?category=DEV', ['6001']],
    ['?q=TERRARIA-5', ['5001', '5003']],
    ['?q=6001', ['6001']],
    ['?status=installing,running', ['5001', '5003', '6001']],
    ['?status=running', []],
    ['?status=installing&category=GAME&limit=1&cursor=5001', ['5003']],
  ])('%s', async (query, ids) => {
    expect(idsOf(await list(alice, query))).toEqual(ids);
  });

  test.each(['?limit=0', '?limit=1001', '?category=CAT', '?cursor=x'])(
    'refuses %s',
    async (query) => {
      const answer = await alice.call('GET', `/api/servers${query}`);
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
    },
  );
});

const NO_NUMBERS = { cpu: null, mem: null, maxmem: null, disk: null, uptime: null } as const;

/** What whoever polls would publish. */
function openFeed() {
  const publisher = new Redis(app.environment['REDIS_URL'] ?? '');
  const feed = createLiveFeed({
    publisher,
    subscriber: publisher.duplicate({ lazyConnect: true }),
    prefix: app.environment['REDIS_PREFIX'] ?? '',
    onError: () => {},
  });
  return { ...feed, [Symbol.dispose]: () => publisher.disconnect() };
}

describe('live numbers', () => {
  test('come with their age, and move nothing else', async () => {
    using feed = openFeed();
    const { body: before } = await alice.call('GET', '/api/servers/5001/status');
    const seenAt = Date.now();

    feed.publish({
      agents: [
        [5001, { seenAt, askedAt: seenAt, condition: 'ready', players: 7, uptimeSeconds: 60 }],
      ],
      hosts: [[5001, { observedAt: seenAt, cpu: 0.5, mem: 1, maxmem: 2, disk: 3, uptime: 9 }]],
    });
    const after = await until(
      async () => {
        const { body } = await alice.call('GET', '/api/servers/5001/status');
        return body.live.agent && body;
      },
      { what: 'the number of players' },
    );

    expect(before).toMatchObject({ lastSeen: null, ages: { host: null, agent: null } });
    expect(after.live).toMatchObject({ agent: { players: 7 }, host: { cpu: 0.5 } });
    expect(after.ages.agent).toBeLessThan(10_000);
    expect(after.ages.state).toBeLessThan(60_000);
    expect(after.lastSeen).toBe(new Date(seenAt).toISOString());
    expect(after.revision).toBe(before.revision);

    // A node that starts later is told what Redis still keeps.
    await using node = await app.startNode();
    const fresh = createClient(node.url ?? '', alice.token);
    await until(
      async () => (await fresh.call('GET', '/api/servers/5001')).body.server.live.host?.cpu === 0.5,
      { what: 'the numbers that Redis keeps' },
    );
  });

  test('date each condition by what was heard of it, not by the last step', async () => {
    using feed = openFeed();
    const datesOf = ({ conditions }: { conditions: { type: string; observedAt: string }[] }) =>
      Object.fromEntries(conditions.map(({ type, observedAt }) => [type, Date.parse(observedAt)]));
    const look = async () => (await alice.call('GET', '/api/servers/5003/status')).body;
    const before = await look();
    const changedAt = Date.parse(before.observedAt);
    const hear = (hostAt: number, agentAt: number) =>
      feed.publish({
        agents: [
          [
            5003,
            {
              seenAt: agentAt,
              askedAt: agentAt,
              condition: null,
              players: null,
              uptimeSeconds: null,
            },
          ],
        ],
        hosts: [[5003, { observedAt: hostAt, ...NO_NUMBERS }]],
      });
    const dated = async (host: number, agent: number) => {
      hear(host, agent);
      return until(
        async () => {
          const body = await look();
          return datesOf(body)['AgentReady'] === agent && body;
        },
        { what: 'the date of the agent' },
      );
    };

    const first = await dated(changedAt + 2_000, changedAt + 1_000);
    const second = await dated(changedAt + 4_000, changedAt + 5_000);
    const listed = (await list(alice)).servers.find(({ id }: { id: string }) => id === '5003');

    // Of what nobody has heard, the step that told it has the date.
    for (const { lastTransitionTime, observedAt } of before.conditions) {
      expect(observedAt >= lastTransitionTime).toBe(true);
    }
    expect(datesOf(first)).toEqual({
      Provisioned: changedAt,
      Entitled: changedAt,
      Maintenance: changedAt,
      HostRunning: changedAt + 2_000,
      AgentReady: changedAt + 1_000,
    });
    expect(datesOf(second)).toMatchObject({
      Provisioned: changedAt,
      Entitled: changedAt,
      Maintenance: changedAt,
      HostRunning: changedAt + 4_000,
    });
    expect(listed.conditions).toEqual(second.conditions);
    expect(second.revision).toBe(before.revision);
  });
});

describe('two nodes', () => {
  test('agree at once with Redis, and within seconds without it', async () => {
    await using stack = new AsyncDisposableStack();
    const dataDir = await mkdtemp(join(tmpdir(), 'zpack-redis-'));
    stack.defer(() => rm(dataDir, { recursive: true, force: true }));
    const redis = await startRedis({ dataDir, cacheDir: '.cache' });
    const environment = {
      REDIS_URL: redis.url,
      REDIS_PREFIX: `t${randomBytes(4).toString('hex')}`,
    };
    const one = stack.use(await app.startNode(environment));
    const two = stack.use(await app.startNode(environment));
    const onOne = createClient(one.url ?? '', alice.token);
    const onTwo = createClient(two.url ?? '', alice.token);
    const order = (memoryMiB: number) =>
      onOne.call('POST', '/api/instances', {
        body: { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB },
      });
    const isKnownTo = async (client: typeof onOne, vmid: number) =>
      idsOf(await list(client)).includes(String(vmid));

    const { vmid } = (await order(512)).body;
    const [own, read] = [
      await isKnownTo(onOne, vmid),
      await onTwo.call('GET', `/api/servers/${vmid}`),
    ];
    await until(() => isKnownTo(onTwo, vmid), { what: 'the other node to hear of it' });
    const client = new Redis(redis.url);
    await client.flushall();
    client.disconnect();
    await redis[Symbol.asyncDispose]();
    const later = (await order(1024)).body.vmid;
    await until(() => isKnownTo(onTwo, later), { what: 'the other node to find it by itself' });

    // Its own node knows it at once, and the other asks the database for what it has not seen.
    expect(own).toBe(true);
    expect(read.status).toBe(200);
    expect(await isKnownTo(onOne, later)).toBe(true);
  });

  test('show the same dates, though only one of them has committed', async () => {
    await using node = await app.startNode();
    const { vmid } = (
      await createClient(node.url ?? '', alice.token).call('POST', '/api/instances', {
        body: { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 },
      })
    ).body;
    const rowOf = async (url: string) => {
      const { body } = await createClient(url, alice.token).call('GET', '/api/instances');
      return body.rows.find((row: { vmid: number }) => row.vmid === vmid);
    };

    await until(
      async () => {
        const [here, there] = [await rowOf(app.url), await rowOf(node.url ?? '')];
        return here && here.createdAt === there.createdAt && here.status === there.status;
      },
      { what: 'both to say the same' },
    );
  });
});
