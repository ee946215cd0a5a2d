import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';

import { startPostgres } from '../../lab/services/postgres.ts';
import { startRedis } from '../../lab/services/redis.ts';
import { applyMigrations } from '../../src/storage/migrations.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

export interface Services extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly redisUrl: string;
}

/**
 * PostgreSQL that really flushes, and Redis: those of DATABASE_URL and REDIS_URL, else our own in
 * a temporary folder. Either way the database is a new one of the bench, and dropped in the end.
 */
export async function startServices(): Promise<Services> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-bench-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const postgres = opened.use(
    await startPostgres({
      dataDir: join(folder, 'postgres'),
      databaseUrl: process.env['DATABASE_URL'] || undefined,
      durable: true,
    }),
  );
  const redis = opened.use(
    await startRedis({
      dataDir: join(folder, 'redis'),
      cacheDir: join(ROOT, '.cache'),
      redisUrl: process.env['REDIS_URL'] || undefined,
    }),
  );
  if (postgres.source !== 'DATABASE_URL') await makeWalFiles(postgres.url);
  const name = `zpack_bench_${process.pid}`;
  await administer(postgres.url, `CREATE DATABASE ${name}`);
  opened.defer(() => administer(postgres.url, `DROP DATABASE ${name} WITH (FORCE)`));
  const url = new URL(postgres.url);
  url.pathname = `/${name}`;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  await applyMigrations(client, join(ROOT, 'prisma/migrations'));
  await client.end();
  const closing = opened.move();
  return {
    databaseUrl: url.href,
    redisUrl: redis.url,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** 2 GB of 16 MB each. */
const WAL_FILES = 128;

/**
 * A server that has run for a while writes its WAL into the same files again and again. A new one
 * makes each when it first needs it: that takes 30 ms, in which nobody commits.
 */
async function makeWalFiles(url: string): Promise<void> {
  const size = `${WAL_FILES * 16}MB`;
  await administer(
    url,
    `ALTER SYSTEM SET min_wal_size = '${size}'`,
    `ALTER SYSTEM SET max_wal_size = '${size}'`,
    'SELECT pg_reload_conf()',
    ...Array.from(
      { length: WAL_FILES },
      () => `SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()`,
    ),
    'CHECKPOINT',
  );
}

async function administer(url: string, ...statements: readonly string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
