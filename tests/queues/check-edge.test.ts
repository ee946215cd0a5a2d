import { randomBytes } from 'node:crypto';

import { Redis } from 'ioredis';
import { describe, expect, inject, test } from 'vitest';

import { createEdgeCheck } from '../../src/queues/workers/check-edge.ts';
import { createEdgeHealthReports } from '../../src/storage/edge-health.ts';
import { until } from '../support/until.ts';
import { setUpParties } from './edge-parties.ts';
import { never } from './polls-world.ts';

const STATUS = { method: 'GET', path: /\/zpack\/status$/ } as const;
const RECORDS = { method: 'GET', path: /dns_records/ } as const;
const BROKEN = { kind: 'status', status: 500, text: 'out of order' } as const;

async function setUp(timeoutMs = 5_000) {
  await using opened = new AsyncDisposableStack();
  const parties = opened.use(await setUpParties());
  const redis = new Redis(inject('redisUrl'));
  opened.defer(() => redis.disconnect());
  const reports = createEdgeHealthReports(redis, `health-${randomBytes(6).toString('hex')}`);
  const { internalDns, publicDns, opnsense } = parties.connect(5_000);
  const { velocity } = parties.connect(timeoutMs);
  let now = Date.parse('2026-11-24T12:00:00Z');
  const check = createEdgeCheck({
    checks: {
      internal_dns: internalDns.check,
      public_dns: publicDns.check,
      forward: opnsense.check,
      velocity: velocity.check,
    },
    reports,
    now: () => now,
  });
  const closing = opened.move();
  return {
    ...parties,
    reports,
    check: (shutdown = never) => check(shutdown),
    pass(ms: number) {
      now += ms;
    },
    async party(name: string) {
      return (await reports.latest())?.parties.find((one) => one.name === name);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

describe('a check of the edge', () => {
  test('asks everybody once, and says how long each took', async () => {
    await using t = await setUp();

    await t.check();

    const report = await t.reports.latest();
    expect(report?.parties).toEqual(
      ['internal_dns', 'public_dns', 'forward', 'velocity'].map((name) => ({
        ...{ name, isReachable: true, lastError: null, checkedAt: '2026-11-24T12:00:00.000Z' },
        latencyMs: expect.any(Number),
      })),
    );
    const all = [t.technitium, t.cloudflare, t.opnsense, t.velocity];
    expect(all.map((standIn) => standIn.requests().length)).toEqual([1, 1, 1, 1]);
  });

  test('asks all at once: the others have been asked while one has not answered', async () => {
    await using t = await setUp();
    const hanging = [
      t.technitium.faults.plan({ kind: 'hang', method: 'POST', path: /records\/get$/ }),
      t.velocity.faults.plan({ ...STATUS, kind: 'hang' }),
    ];
    const shutdown = new AbortController();

    const checking = t.check(shutdown.signal);
    checking.catch(() => undefined);
    await until(() => hanging.every(({ fired }) => fired === 1), { what: 'both that hang' });
    await until(() => t.cloudflare.requests().length === 1, { what: 'the third' });
    await until(() => t.opnsense.requests().length === 1, { what: 'the fourth' });
    shutdown.abort(new Error('this node shuts down'));

    await expect(checking).rejects.toThrow('this node shuts down');
    expect(await t.reports.latest()).toBeNull();
  });

  test('waits for one that hangs for as long as that one may take, and no longer', async () => {
    await using t = await setUp(150);
    const fault = t.velocity.faults.plan({ ...STATUS, kind: 'hang' });

    const begunAt = performance.now();
    await t.check();
    const tookMs = performance.now() - begunAt;

    expect(fault.fired).toBe(1);
    expect(tookMs).toBeLessThan(2_000);
    expect(await t.party('velocity')).toMatchObject({
      isReachable: false,
      lastError: { code: 'timed_out' },
    });
    const other = await t.party('public_dns');
    expect(other).toMatchObject({ isReachable: true, lastError: null });
    expect(other?.latencyMs).toBeLessThan(150);
  });

  test('keeps what was wrong last, also when it is well again, until something else is', async () => {
    await using t = await setUp();
    const faults = [t.cloudflare.faults.plan({ ...RECORDS, ...BROKEN })];
    await t.check();
    const broken = await t.party('public_dns');
    t.pass(30_000);
    await t.check();
    const well = await t.party('public_dns');
    t.pass(30_000);
    faults.push(t.cloudflare.faults.plan({ ...RECORDS, kind: 'garbage' }));
    await t.check();

    expect(faults.map(({ fired }) => fired)).toEqual([1, 1]);
    const lastError = { code: 'server_failed', at: '2026-11-24T12:00:00.000Z' };
    expect(broken).toMatchObject({ isReachable: false, lastError });
    expect(well).toMatchObject({
      ...{ isReachable: true, lastError, checkedAt: '2026-11-24T12:00:30.000Z' },
    });
    expect(await t.party('public_dns')).toMatchObject({
      lastError: { code: 'answer_unreadable', at: '2026-11-24T12:01:00.000Z' },
    });
  });
});
