import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { describe, expect, inject, test } from 'vitest';

import { startRedis } from '../../lab/services/redis.ts';
import { examine } from '../support/crash-invariants.ts';
import { type LifePlan, live, liveAll } from '../support/crash-lives.ts';
import type { Ended, Role } from '../support/crash-nodes.ts';
import { chooseSeed, createRandom, createStorm } from '../support/crash-storm.ts';
import { type CrashWorldOptions, startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const TIMEOUT = { timeout: 240_000 };
/** The default of SHUTDOWN_GRACE_MS. */
const GRACE_MS = 10_000;
const KILLS = 50;
const LIVES_AT_ONCE = 6;
const FLUSHES = 10;
const FLUSH_PAUSE_MAX_MS = 600;

const LIVES: readonly LifePlan[] = [
  { kind: 'whole' },
  { kind: 'cut', cutAfterMs: 100 },
  { kind: 'kept' },
  { kind: 'cut', cutAfterMs: 500 },
  { kind: 'whole' },
  { kind: 'forgotten' },
];
const DELETED = LIVES.length - 1;

async function startWorld(roles: readonly Role[], options: Partial<CrashWorldOptions> = {}) {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const shared = { redisUrl: inject('redisUrl'), programs: inject('programs') };
  const world = opened.use(await startCrashWorld({ database, ...shared, ...options }));
  await Promise.all(roles.map((role) => world.nodes.start({ role })));
  const closing = opened.move();
  return { ...world, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

describe.concurrent('whatever ends, and whenever', () => {
  test('two nodes killed at 50 random times lose, double and forget nothing', TIMEOUT, async () => {
    const seed = chooseSeed();
    console.log(`CRASH_SEED=${seed} repeats these times`);
    await using world = await startWorld(['all', 'all'], { hasEdge: true });
    const storm = createStorm({ seed, pauseMinMs: 100, pauseMaxMs: 500 });

    const [killed, lives] = await Promise.all([
      storm.rage(world.nodes, KILLS),
      liveAll(world.client, storm.plans(), LIVES_AT_ONCE),
    ]).catch((cause: unknown) => {
      throw new Error(world.nodes.notes().join('\n'), { cause });
    });
    const found = await examine(world);

    const known = lives.filter(({ end }) => end !== 'lost').length;
    expect(killed).toBe(KILLS);
    expect(found, world.nodes.notes().join('\n')).toMatchObject({ violations: [] });
    expect(found.live + found.deleted).toBeGreaterThanOrEqual(known);
    expect(known).toBeGreaterThan(0);
  });

  test(
    'two API and two worker nodes share one database, also while Redis is emptied',
    TIMEOUT,
    async () => {
      const seed = chooseSeed();
      console.log(`CRASH_SEED=${seed} repeats these times`);
      const dataDir = await mkdtemp(join(tmpdir(), 'zpack-crash-redis-'));
      await using opened = new AsyncDisposableStack();
      opened.defer(() => rm(dataDir, { recursive: true, force: true }));
      const redis = opened.use(await startRedis({ dataDir, cacheDir: '.cache' }));
      const connection = opened.adopt(new Redis(redis.url), (client) => client.disconnect());
      await using world = await startWorld(['api', 'api', 'worker', 'worker'], {
        redisUrl: redis.url,
      });
      const random = createRandom(seed);

      async function flush(): Promise<void> {
        for (let flushed = 0; flushed < FLUSHES; flushed += 1) {
          await delay(random() * FLUSH_PAUSE_MAX_MS);
          await connection.flushall();
        }
      }
      await Promise.all([flush(), liveAll(world.client, LIVES, LIVES.length)]);
      const found = await examine(world);

      const all = { live: 1, deleted: DELETED, abandoned: 0 };
      expect(found).toMatchObject({ violations: [], failures: [], ...all });
    },
  );

  test(
    'nodes told to end in the middle of lives do so in order, and another goes on',
    TIMEOUT,
    async () => {
      await using world = await startWorld(['all', 'all', 'api', 'worker']);

      async function terminate(): Promise<readonly Ended[]> {
        const ends: Ended[] = [];
        for (const node of world.nodes.all().slice(1)) {
          await until(async () => (await countSteps(world)) > (ends.length + 1) * LIVES.length, {
            what: 'the lives to go on',
            timeoutMs: 60_000,
          });
          ends.push(await node.terminate());
        }
        return ends;
      }
      const [ends] = await Promise.all([terminate(), liveAll(world.client, LIVES, LIVES.length)]);
      const found = await examine(world);

      for (const end of ends) expect(end).toMatchObject({ code: 0, signal: null });
      for (const { afterMs } of ends) expect(afterMs).toBeLessThan(GRACE_MS);
      expect(found).toMatchObject({ violations: [], failures: [], live: 1 });
    },
  );

  test('a node told to end does not wait for whoever waits for long work', TIMEOUT, async () => {
    await using world = await startWorld(['all'], { delays: { dhcpMs: 12_000 } });
    const [node] = world.nodes.all();
    const living = live(world.client, { kind: 'kept' });
    await until(() => world.proxmox.containers().some(({ status }) => status === 'running'), {
      what: 'the container to run',
      timeoutMs: 30_000,
    });

    const end = await node?.terminate();
    await world.nodes.start({ role: 'all' });
    await living;

    expect(end).toMatchObject({ code: 0, signal: null });
    expect(end?.afterMs).toBeLessThan(GRACE_MS);
    expect(await examine(world)).toMatchObject({ violations: [], failures: [], live: 1 });
  });
});

async function countSteps({ database }: Awaited<ReturnType<typeof startWorld>>): Promise<number> {
  const { rows } = await database.pool.query<{ n: number }>(
    'SELECT last_seq::int AS n FROM journal_head',
  );
  return rows[0]?.n ?? 0;
}
