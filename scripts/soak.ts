import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Redis } from 'ioredis';
import { Client } from 'pg';

import { type Postgres, startPostgres } from '../lab/services/postgres.ts';
import { startRedis } from '../lab/services/redis.ts';
import { type Database, openDatabase } from '../src/storage/database.ts';
import { applyMigrations } from '../src/storage/migrations.ts';
import { examine } from '../tests/support/crash-invariants.ts';
import { liveAll } from '../tests/support/crash-lives.ts';
import { chooseSeed, createRandom, createStorm } from '../tests/support/crash-storm.ts';
import { startCrashWorld } from '../tests/support/crash-world.ts';
import { SOURCES } from '../tests/support/programs.ts';

/**
 * Lives under fire for as many minutes as the argument says: two nodes of every role are killed
 * and Redis is emptied at random times, round after round, each in a fresh world. The first
 * round in which anything is lost, doubled or forgotten ends it; CRASH_SEED repeats that one.
 */
const MINUTES = Number(process.argv[2] ?? 10);
const KILLS_PER_ROUND = 100;
const LIVES_AT_ONCE = 6;
const FLUSH_PAUSE_MAX_MS = 10_000;
const ROLES = ['all', 'all', 'api', 'worker'] as const;

const root = fileURLToPath(new URL('..', import.meta.url));

async function createDatabase(
  { url }: Postgres,
  name: string,
): Promise<Database & { url: string }> {
  const server = new Client({ connectionString: url });
  await server.connect();
  await server.query(`CREATE DATABASE ${name}`);
  await server.end();
  const own = Object.assign(new URL(url), { pathname: `/${name}` }).href;
  const client = new Client({ connectionString: own });
  await client.connect();
  await applyMigrations(client, join(root, 'prisma/migrations'));
  await client.end();
  return { ...openDatabase({ url: own, connectionsMax: 4, onError: () => {} }), url: own };
}

async function rage(redis: Redis, random: () => number, stop: AbortSignal): Promise<number> {
  for (let flushes = 0; ; flushes += 1) {
    const pauseMs = random() * FLUSH_PAUSE_MAX_MS;
    await delay(pauseMs, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return flushes;
    await redis.flushall();
  }
}

async function round(postgres: Postgres, redisUrl: string, seed: number): Promise<string> {
  const startedAt = performance.now();
  await using database = await createDatabase(postgres, `soak_${seed}_${Date.now()}`);
  await using world = await startCrashWorld({ database, redisUrl, programs: SOURCES });
  for (const role of ROLES) await world.nodes.start({ role });
  const storm = createStorm({ seed, pauseMinMs: 100, pauseMaxMs: 900 });
  const redis = new Redis(redisUrl);
  const stop = new AbortController();
  const flushing = rage(redis, createRandom(seed + 1), stop.signal);
  try {
    const [killed, lives] = await Promise.all([
      storm.rage(world.nodes, KILLS_PER_ROUND),
      liveAll(world.client, storm.plans(), LIVES_AT_ONCE),
    ]);
    stop.abort();
    const flushes = await flushing;
    const { violations, ...figures } = await examine(world);
    if (violations.length > 0) throw new Error(violations.join('\n'));
    const tookMs = Math.round(performance.now() - startedAt);
    return JSON.stringify({ seed, killed, flushes, lives: lives.length, tookMs, ...figures });
  } catch (cause) {
    const notes = world.nodes.notes().join('\n');
    throw new Error(`CRASH_SEED=${seed} went wrong\n${notes}`, { cause });
  } finally {
    stop.abort();
    redis.disconnect();
  }
}

const folder = await mkdtemp(join(tmpdir(), 'zpack-soak-'));
await using opened = new AsyncDisposableStack();
opened.defer(() => rm(folder, { recursive: true, force: true }));
const postgres = opened.use(
  await startPostgres({ dataDir: join(folder, 'postgres'), durable: false }),
);
const redis = opened.use(
  await startRedis({ dataDir: join(folder, 'redis'), cacheDir: join(root, '.cache') }),
);
const until = performance.now() + MINUTES * 60_000;
for (let seed = chooseSeed(); performance.now() < until; seed += 1) {
  console.log(await round(postgres, redis.url, seed));
}
