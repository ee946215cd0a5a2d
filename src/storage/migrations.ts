import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Client } from 'pg';

/** Serialises migration runs of all nodes. Any constant will do, as long as it stays. */
const LOCK = 5_237_001;

const BOOKKEEPING = `
CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
    "id" VARCHAR(36) PRIMARY KEY NOT NULL,
    "checksum" VARCHAR(64) NOT NULL,
    "finished_at" TIMESTAMPTZ,
    "migration_name" VARCHAR(255) NOT NULL,
    "logs" TEXT,
    "rolled_back_at" TIMESTAMPTZ,
    "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(),
    "applied_steps_count" INTEGER NOT NULL DEFAULT 0
)`;

interface Applied {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: Date | null;
}

/**
 * Applies Prisma's migration files in order, each in one transaction, and keeps Prisma's own
 * bookkeeping table, so that its engine agrees wherever one is at hand. Runs that start at the
 * same time apply each migration once. An edited or half-applied migration is refused by name.
 *
 * @returns the names of the migrations that this run applied
 */
export async function applyMigrations(client: Client, folder: string): Promise<readonly string[]> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  try {
    await client.query(BOOKKEEPING);
    const { rows } = await client.query<Applied>(
      `SELECT migration_name, checksum, finished_at FROM "_prisma_migrations"
       WHERE rolled_back_at IS NULL`,
    );
    const applied = new Map(rows.map((row) => [row.migration_name, row]));
    const names: string[] = [];
    for (const { name, sql, checksum } of await readMigrations(folder)) {
      const known = applied.get(name);
      if (!known) {
        await applyOne(client, name, sql, checksum);
        names.push(name);
      } else if (known.finished_at === null) {
        throw new Error(`migration ${name} was begun and never finished: resolve it by hand`);
      } else if (known.checksum !== checksum) {
        throw new Error(`migration ${name} was edited after it had been applied`);
      }
    }
    return names;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  }
}

async function readMigrations(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(join(folder, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}

async function applyOne(client: Client, name: string, sql: string, checksum: string) {
  await client.query('BEGIN');
  try {
    await client.query(sql);
    await client.query(
      `INSERT INTO "_prisma_migrations"
         (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES (gen_random_uuid(), $1, $2, now(), now(), 1)`,
      [checksum, name],
    );
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK');
    throw new Error(`migration ${name} could not be applied, and nothing of it was`, { cause });
  }
}
