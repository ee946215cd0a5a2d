import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import pg from 'pg';
import type { TestProject } from 'vitest/node';

import { startPostgres } from '../../lab/services/postgres.ts';
import { startRedis } from '../../lab/services/redis.ts';
import { applyMigrations } from '../../src/storage/migrations.ts';
import { PASSWORD } from './accounts.ts';
import { scanLogs } from './log-scan.ts';
import { bundlePrograms, type Programs } from './programs.ts';
import { createRunFolder } from './run-folder.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    databaseUrl: string;
    templateDatabase: string;
    redisUrl: string;
    logFolder: string;
    programs: Programs;
  }
}

/**
 * One PostgreSQL and one Redis for the whole run. Each test file clones the migrated template
 * database and uses key prefixes of its own. The services end with us, however we end.
 */
export async function setup(project: TestProject) {
  const folder = await createRunFolder();
  const [postgres, redis, programs] = await Promise.all([
    startPostgres({
      dataDir: join(folder, 'postgres'),
      durable: false,
      databaseUrl: process.env['DATABASE_URL'],
    }),
    startRedis({
      dataDir: join(folder, 'redis'),
      cacheDir: '.cache',
      redisUrl: process.env['REDIS_URL'],
    }),
    bundlePrograms(),
  ]);
  project.provide('programs', programs);
  const templateDatabase = `zpack_template_${process.pid}`;
  await onServer(postgres.url, (client) => client.query(`CREATE DATABASE ${templateDatabase}`));
  const template = new URL(postgres.url);
  template.pathname = `/${templateDatabase}`;
  await onServer(template.href, (client) => applyMigrations(client, 'prisma/migrations'));
  project.provide('databaseUrl', postgres.url);
  project.provide('templateDatabase', templateDatabase);
  project.provide('redisUrl', redis.url);
  const logFolder = join(folder, 'logs');
  await mkdir(logFolder);
  project.provide('logFolder', logFolder);

  return async () => {
    await onServer(postgres.url, (client) =>
      client.query(`DROP DATABASE IF EXISTS ${templateDatabase} WITH (FORCE)`),
    );
    await redis[Symbol.asyncDispose]();
    await postgres[Symbol.asyncDispose]();
    const { findings } = await scanLogs(logFolder, [PASSWORD]);
    await rm(folder, { recursive: true, force: true });
    if (findings.length > 0)
      throw new Error(`${findings.length} secrets in logs:\n${findings.slice(0, 20).join('\n')}`);
  };
}

async function onServer(url: string, act: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await act(client);
  } finally {
    await client.end();
  }
}
