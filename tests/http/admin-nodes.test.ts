import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { type Seen, viewNodes } from '../../src/http/nodes-view.ts';
import type { SightedNode } from '../../src/storage/cluster-nodes.ts';
import { createProcesses, type ServiceProcess } from '../../src/storage/processes.ts';
import { ADMIN, ALICE, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const PATH = '/api/admin/nodes';
// The one that answers looks at nothing by itself.
const app = await startTestApp({ environment: { ROLE: 'api', HOST_SWEEP_MS: '100' } });
afterAll(() => app[Symbol.asyncDispose]());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];
const read = async () => (await admin.call('GET', PATH)).body;

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
type Body = any;
const readWhen = (what: string, isSo: (body: Body) => boolean): Promise<Body> =>
  until(
    async () => {
      const body = await read();
      return isSo(body) && body;
    },
    { what, timeoutMs: 15_000 },
  );

describe('the nodes', () => {
  test('are not to be seen by whoever is no administrator', async () => {
    expect(await alice.call('GET', PATH)).toMatchObject({
      status: 403,
      body: { error: 'forbidden' },
    });
    expect((await app.anonymous.call('GET', PATH)).status).toBe(401);
  });

  test('nobody knows of Proxmox before somebody has looked, and that is said', async () => {
    const body = await readWhen(
      'the process to be heard',
      ({ processes }) => processes.length === 1,
    );

    expect(body).toMatchObject({
      ...{ ok: false, cluster: null, answeredBy: body.processes[0].id },
      ...{ postgres: { reachable: true }, redis: { reachable: true } },
      backlog: { effects: 0, debts: 0, timersOverdue: 0 },
    });
  });

  test('are shown as they were last seen, with the age of every word, and nobody is asked', async () => {
    const worker = await app.startNode({ ROLE: 'worker' });
    const order = { ctype: 'dev', runtime: 'node', version: '24', memoryMiB: 512 };
    const headers = { prefer: 'wait=20' };
    await alice.call('POST', '/api/instances', { body: order, headers });
    const well = await readWhen('all to be well', ({ ok, cluster }) => {
      return ok && cluster.nodes.some((node: Body) => node.containers?.running === 1);
    });
    app.proxmox.setOffline('pve2', true);
    const ill = await readWhen('a node to be offline', ({ cluster }) =>
      cluster.nodes.some(({ state }: Body) => state === 'offline'),
    );
    await worker[Symbol.asyncDispose]();
    const asked = app.proxmox.requests().length;
    const left = await read();

    expect(well.cluster).toMatchObject({ lastError: null, ageMs: expect.any(Number) });
    expect(well.cluster.nodes).toMatchObject([
      {
        ...{ name: 'pve1', state: 'online', unknownSince: null, cpu: 0.05, maxcpu: 16 },
        containers: { running: 1, all: 1, ageMs: expect.any(Number) },
        ours: { running: 1, all: 1 },
        calls: { inFlight: 0, max: expect.any(Number) },
      },
      { name: 'pve2', state: 'online', ours: { running: 0, all: 0 } },
    ]);
    expect(well.processes.map(({ role }: Body) => role).toSorted()).toEqual(['api', 'worker']);
    for (const one of well.processes) {
      expect(one).toMatchObject({
        ...{ state: 'alive', version: '0.1.0', postgres: { reachable: true } },
        eventLoop: { p99Ms: expect.any(Number), maxMs: expect.any(Number) },
      });
      expect(one.ageMs).toBeLessThan(10_000);
    }
    expect(well.queues.map(({ name }: Body) => name)).toContain('effects-clone');
    expect(ill).toMatchObject({ ok: false });
    expect(ill.cluster.nodes[1]).toMatchObject({ state: 'offline', cpu: 0.05 });
    expect(ill.cluster.nodes[1].onlineAgeMs).toBeGreaterThanOrEqual(0);
    // It has ended in good order, so nobody wonders where it is.
    expect(left.processes.map(({ role }: Body) => role)).toEqual(['api']);
    expect(app.proxmox.requests().length).toBe(asked);
  });

  test('a process that died without a word is silent since then', async () => {
    using redis = connect();
    const beatAt = new Date(Date.now() - 60_000).toISOString();
    await createProcesses(redis.client, app.environment['REDIS_PREFIX'] ?? '').beat({
      ...PROCESS,
      beatAt,
    });

    const { ok, processes } = await read();

    expect(ok).toBe(false);
    expect(processes.find(({ id }: Body) => id === PROCESS.id)).toMatchObject({
      ...{ state: 'silent', unknownSince: beatAt, ageMs: expect.any(Number) },
    });
  });

  test('without Redis what it keeps is unknown, and the rest is answered', async () => {
    await using node = await app.startNode({ ROLE: 'api', REDIS_URL: 'redis://127.0.0.1:1' });

    const { status, body } = await createClient(node.url ?? '', admin.token).call('GET', PATH);

    expect(status).toBe(200);
    expect(body).toMatchObject({
      ...{ ok: false, redis: { reachable: false }, postgres: { reachable: true } },
      ...{ cluster: null, processes: null, queues: null, backlog: { debts: 0 } },
    });
  });
});

function connect(): Disposable & { readonly client: Redis } {
  const client = new Redis(inject('redisUrl'));
  return { client, [Symbol.dispose]: () => client.disconnect() };
}

const NOW = Date.parse('2026-11-25T12:00:00.000Z');
const ago = (ms: number) => new Date(NOW - ms).toISOString();
const PROCESS: ServiceProcess = {
  ...{ id: 'gone', version: '0.1.0', host: 'h', pid: 1, everyMs: 5_000 },
  role: 'worker',
  ...{ startedAt: ago(60_000), beatAt: ago(1_000), memoryBytes: 1 },
  eventLoop: { meanMs: 0, p99Ms: 0, maxMs: 0 },
  postgres: { isReachable: true, latencyMs: 1 },
  redis: { isReachable: true, latencyMs: 1 },
};
const NODE: SightedNode = {
  ...{ name: 'pve1', onlineAt: ago(5_000), cpu: 0.5, maxcpu: 4, mem: 1, maxmem: 2, uptime: 3 },
  state: 'online',
};
const COUNTS = { countedAt: ago(5_000), nodes: { pve1: { running: 2, all: 3 } } };
const SEEN: Seen = {
  ...{ now: NOW, answeredBy: 'a', postgres: PROCESS.postgres, redis: PROCESS.redis },
  cluster: { checkedAt: ago(5_000), nodes: [NODE], lastError: null },
  ...{ counts: COUNTS, ours: new Map(), loads: new Map([['pve1', 2]]), callsMax: 4 },
  ...{ processes: [PROCESS], backlog: null, queues: [], unseenAfterMs: 30_000 },
};

describe('what was seen', () => {
  test('is well while it is fresh', () => {
    const { ok, cluster } = viewNodes(SEEN);

    expect(ok).toBe(true);
    expect(cluster?.nodes).toMatchObject([
      {
        ...{ state: 'online', unknownSince: null, onlineAgeMs: 5_000 },
        containers: { running: 2, all: 3, ageMs: 5_000 },
        calls: { inFlight: 2, max: 4 },
      },
    ]);
  });

  test('too long ago is unknown since then, and counts of then are none of now', () => {
    const { ok, cluster } = viewNodes({ ...SEEN, now: NOW + 60_000 });

    expect(ok).toBe(false);
    expect(cluster).toMatchObject({ ageMs: 65_000 });
    expect(cluster?.nodes).toMatchObject([
      {
        ...{ state: 'unknown', unknownSince: ago(5_000), onlineAt: ago(5_000) },
        ...{ cpu: 0.5, containers: null },
      },
    ]);
  });

  test.each([
    ['a process that does not reach PostgreSQL', { processes: [unreached(PROCESS)] }],
    ['no list of processes', { processes: null }],
    ['no node at all', { cluster: { checkedAt: ago(0), nodes: [], lastError: null } }],
  ] as const)('%s is not well', (_, differs) => {
    expect(viewNodes({ ...SEEN, ...differs }).ok).toBe(false);
  });
});

function unreached(node: ServiceProcess): ServiceProcess {
  return { ...node, postgres: { isReachable: false, latencyMs: 2_000 } };
}
