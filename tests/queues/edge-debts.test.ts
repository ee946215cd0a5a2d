import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { expect, inject, test } from 'vitest';

import type { EdgePlan } from '../../src/machines/instance/edge-types.ts';
import { createDebtCollector } from '../../src/queues/workers/pay-debts.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createEdgePorts } from '../../src/storage/edge-ports.ts';
import { createLeftovers } from '../../src/storage/leftovers.ts';
import { createRouterSights } from '../../src/storage/router-sights.ts';
import { until } from '../support/until.ts';
import { setUpLives } from './edge-lives.ts';
import {
  createEdgeNode,
  forwardSpec,
  nameSpec,
  planOf,
  routerSpec,
  setUpParties,
} from './edge-parties.ts';
import { never } from './polls-world.ts';
import { idOf, logger, performersOf } from './worker-world.ts';

const RANGE = { protocol: 'udp', min: 28_015, max: 28_018 } as const;
const DELETE = { method: 'DELETE', path: /dns_records/ } as const;
const routed = (vmid: number): EdgePlan => ({
  targets: [
    ...[routerSpec(RANGE.min), forwardSpec(RANGE.min)],
    ...[nameSpec('internal_dns', vmid), nameSpec('public_dns', vmid)],
  ],
  proxy: null,
});

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const parties = opened.use(await setUpParties());
  const lives = opened.use(await setUpLives());
  const { prisma, pool } = lives.database;
  const redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  const prefix = `debts-${randomBytes(6).toString('hex')}`;
  const sights = createRouterSights({ redis, prefix, pool });
  const debts = createDebts(prisma);
  const ports = createEdgePorts(pool);

  /** A node that gives up on a call after `timeoutMs`. */
  const collectorOf = ({ timeoutMs = 5_000, roundMs = 30_000 } = {}) => {
    const { performers } = createEdgeNode(parties.connect(timeoutMs), sights);
    const collect = createDebtCollector({
      ...{ debts, performers: performersOf(performers), logger, roundMs },
    });
    return (shutdown = never) => collect(shutdown);
  };
  const outside = createEdgeNode(parties.connect(), sights);

  /** Published, at the third parties as well; deleted, while none of them removes anything. */
  async function deletedIndebted(vmid: number, plan: EdgePlan): Promise<void> {
    await ports.reserve(RANGE, idOf(vmid));
    await lives.published(vmid, { plan });
    for (const target of plan.targets) {
      if (target.kind === 'router') continue;
      await outside.perform(`${target.kind}.publish`, { target }, { id: idOf(vmid) });
    }
    const { serverName = '' } = plan.proxy ?? {};
    if (plan.proxy)
      await outside.perform('proxy.register', { serverName, address: '10.0.0.9', port: 25_565 });
    await lives.remove(vmid);
    const away = { code: 'not_connected', message: 'away', retryable: true };
    for (let round = 0; round < 2; round += 1) {
      for (const { kind } of plan.targets) await lives.end(vmid, kind, 'effect.failed', away);
      if (plan.proxy) await lives.end(vmid, 'proxy', 'effect.failed', away);
      if (round === 0) await lives.passPauses();
    }
  }

  const closing = opened.move();
  return {
    ...parties,
    lives,
    debts,
    ports,
    sights,
    outside,
    collectorOf,
    collect: collectorOf(),
    deletedIndebted,
    listed: () => createLeftovers(pool).listDebts({ limit: 20 }),
    kinds: async () => (await debts.list(20)).map(({ kind }) => kind).sort(),
    heldPorts: async () => (await lives.rows('SELECT port FROM edge_port')).map(({ port }) => port),
    /** As if Traefik had just been given everything. */
    routeAll: () => sights.save({ seq: Number.MAX_SAFE_INTEGER, at: Date.now() }),
    async oweName(vmid: number): Promise<void> {
      const target = nameSpec('public_dns', vmid);
      await outside.perform('public_dns.publish', { target }, { id: idOf(vmid) });
      const why = { code: 'no_answer', message: 'm' };
      await debts.owe({ instanceId: idOf(vmid), vmid, kind: target.kind, subject: target, ...why });
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('what a deletion cannot remove is owed by its kind, and the report says so', async () => {
  await using t = await setUp();

  await t.deletedIndebted(5001, routed(5001));
  await t.deletedIndebted(5002, planOf(5002));

  const reported = (await t.listed()).map(({ vmid, kind, code }) => `${vmid} ${kind} ${code}`);
  expect(reported.sort()).toEqual([
    '5001 forward not_connected',
    '5001 internal_dns not_connected',
    '5001 public_dns not_connected',
    '5001 router not_connected',
    '5002 internal_dns not_connected',
    '5002 proxy not_connected',
    '5002 public_dns not_connected',
  ]);
  expect((await t.debts.listOf(5001)).map(({ subject }) => subject)).toEqual(
    expect.arrayContaining(routed(5001).targets as object[]),
  );
});

test('debts of every kind are paid by what would have removed it before', async () => {
  await using t = await setUp();
  await t.deletedIndebted(5001, routed(5001));
  await t.deletedIndebted(5002, planOf(5002));
  const before = await t.heldPorts();
  const traces = () => [
    ...[t.inZone('internal_dns'), t.inZone('public_dns')],
    ...[t.opnsense.active(), t.velocity.servers()],
  ];
  const tracesBefore = traces().map(({ length }) => length);
  await t.routeAll();

  await t.collect();
  await t.collect();

  expect(tracesBefore).toEqual([4, 4, 1, 1]);
  expect(traces()).toEqual([[], [], [], []]);
  expect(await t.kinds()).toEqual([]);
  expect(before).toEqual([28_015, 28_016]);
  expect(await t.heldPorts()).toEqual([]);
});

test('a port is free with the last debt only, and that is Traefik’s to end', async () => {
  await using t = await setUp();
  await t.deletedIndebted(5001, routed(5001));

  await t.collect();
  const [owed, held] = [await t.debts.list(20), await t.heldPorts()];
  await t.routeAll();
  await t.collect();

  expect(owed).toMatchObject([{ kind: 'router', code: 'router_silent', attempts: 1 }]);
  expect(held).toEqual([28_015]);
  expect([await t.kinds(), await t.heldPorts()]).toEqual([[], []]);
});

test('an instance that leaves nothing owing leaves no port', async () => {
  await using t = await setUp();
  const plan = routed(5001);
  await t.ports.reserve(RANGE, idOf(5001));
  await t.lives.published(5001, { plan });

  await t.lives.remove(5001);
  const before = await t.heldPorts();
  for (const { kind } of plan.targets) await t.lives.end(5001, kind, 'target.removed');

  expect(before).toEqual([28_015]);
  expect([await t.heldPorts(), await t.kinds()]).toEqual([[], []]);
});

test('a debt at a third party that hangs holds up none of another kind', async () => {
  await using t = await setUp();
  await t.deletedIndebted(5001, routed(5001));
  await t.deletedIndebted(5002, planOf(5002));
  await t.routeAll();
  const fault = t.cloudflare.faults.plan({ ...DELETE, kind: 'hang', times: 9 });
  const shutdown = new AbortController();

  const collection = t.collect(shutdown.signal);
  await until(async () => (await t.kinds()).every((kind) => kind === 'public_dns'), {
    what: 'the debts of other kinds to be paid',
  });
  const left = await t.kinds();
  shutdown.abort(new Error('this node shuts down'));
  await collection;

  expect(fault.fired).toBe(1);
  expect(left).toEqual(['public_dns', 'public_dns']);
});

test('nor do many of them: a round ends, and each kind has its place in the next', async () => {
  await using t = await setUp();
  for (let vmid = 5001; vmid <= 5025; vmid += 1) await t.oweName(vmid);
  const why = { code: 'no_answer', message: 'm', subject: forwardSpec() };
  await t.debts.owe({ instanceId: idOf(5999), vmid: 5999, kind: 'forward', ...why });
  const fault = t.cloudflare.faults.plan({ ...DELETE, kind: 'hang', times: 99 });
  const collect = t.collectorOf({ timeoutMs: 150, roundMs: 100 });

  await collect();
  const first = fault.fired;
  const [forward] = await t.lives.rows(
    `SELECT count(*)::int AS n FROM debt WHERE kind = 'forward'`,
  );
  await collect();

  expect([first, fault.fired]).toEqual([1, 2]);
  expect(forward.n).toBe(0);
  const tried = await t.lives.rows('SELECT instance_id, code FROM debt WHERE attempts > 0');
  // Not the same one twice.
  expect(tried.map(({ code }) => code)).toEqual(['timed_out', 'timed_out']);
});

test('what is not configured any more stays owed, and says why', async () => {
  await using t = await setUp();
  await t.oweName(5001);
  const { performers } = createEdgeNode({});
  const collect = createDebtCollector({
    ...{ debts: t.debts, performers: performersOf(performers), logger },
  });

  await collect(never);

  expect(await t.debts.list(9)).toMatchObject([{ code: 'not_configured', attempts: 1 }]);
});
