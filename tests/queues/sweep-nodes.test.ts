import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { createNodeSweep } from '../../src/queues/polls/sweep-nodes.ts';
import { createClusterReports } from '../../src/storage/cluster-nodes.ts';
import { setUp as startStandIn } from '../lab/proxmox-world.ts';
import { LIST } from './hosts-world.ts';

const START = Date.parse('2026-11-25T12:00:00.000Z');
const HOUR_MS = 3_600_000;
const at = (ms: number) => new Date(START + ms).toISOString();

/** A cluster of two nodes, which is looked at when the test says so. */
async function setUp(nodes = ['pve1', 'pve2']) {
  await using opened = new AsyncDisposableStack();
  const { proxmox } = opened.use(await startStandIn({ nodes }));
  const { url: baseUrl, ca, tokenId, tokenSecret } = proxmox;
  const client = opened.use(
    createProxmoxClient({ baseUrl, ca, tokenId, tokenSecret, timeoutMs: 5_000 }),
  );
  const redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  const reports = createClusterReports(redis, `nodes-${randomBytes(6).toString('hex')}`);
  const closing = opened.move();
  return {
    proxmox,
    reports,
    async look(afterMs: number, listed: Partial<typeof client> = {}) {
      const options = { proxmox: { ...client, ...listed }, reports, now: () => START + afterMs };
      await createNodeSweep(options)();
      return reports.latest();
    },
    client,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const NUMBERS = { cpu: 0.05, maxcpu: 16, mem: 8 * 2 ** 30, maxmem: 64 * 2 ** 30 };

test('a node that goes offline keeps the numbers and the date of when it was online', async () => {
  await using t = await setUp();

  const first = await t.look(0);
  t.proxmox.setOffline('pve2', true);
  const second = await t.look(10_000);
  t.proxmox.setOffline('pve2', false);
  const third = await t.look(20_000);

  expect(first).toMatchObject({ checkedAt: at(0), lastError: null });
  expect(first?.nodes).toMatchObject([
    { name: 'pve1', state: 'online', onlineAt: at(0), ...NUMBERS },
    { name: 'pve2', state: 'online', onlineAt: at(0), ...NUMBERS },
  ]);
  expect(second?.nodes).toMatchObject([
    { name: 'pve1', state: 'online', onlineAt: at(10_000) },
    { name: 'pve2', state: 'offline', onlineAt: at(0), ...NUMBERS },
  ]);
  expect(third?.nodes[1]).toMatchObject({ state: 'online', onlineAt: at(20_000) });
});

test('a node that was offline from the beginning has no numbers that nobody has seen', async () => {
  await using t = await setUp();
  t.proxmox.setOffline('pve2', true);

  const report = await t.look(0);

  expect(report?.nodes[1]).toEqual({
    ...{ name: 'pve2', state: 'offline', onlineAt: null },
    ...{ cpu: null, maxcpu: null, mem: null, maxmem: null, uptime: null },
  });
});

test('a cluster that does not answer says nothing of any node, and why is kept', async () => {
  await using t = await setUp();
  const before = await t.look(0);
  const planned = t.proxmox.faults.plan({ ...LIST, kind: 'status', status: 500, text: 'no' });

  const during = await t.look(10_000);
  const after = await t.look(20_000);

  expect(planned.fired).toBe(1);
  expect(during?.nodes).toEqual(before?.nodes);
  expect(during).toMatchObject({
    checkedAt: at(0),
    lastError: { code: expect.any(String), at: at(10_000) },
  });
  expect(after).toMatchObject({ checkedAt: at(20_000), lastError: during?.lastError });
});

test('a node that the cluster has lost is shown for an hour, and then forgotten', async () => {
  await using t = await setUp();
  await using smaller = await setUp(['pve1']);
  await t.look(0);

  const lost = await t.look(10_000, smaller.client);
  const forgotten = await t.look(HOUR_MS + 1, smaller.client);

  expect(lost?.nodes).toMatchObject([
    { name: 'pve1', state: 'online' },
    { name: 'pve2', state: 'unlisted', onlineAt: at(0) },
  ]);
  expect(forgotten?.nodes.map(({ name }) => name)).toEqual(['pve1']);
});
