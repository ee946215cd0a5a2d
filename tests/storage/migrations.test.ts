import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Client } from 'pg';
import { expect, test } from 'vitest';

import { definitions } from '../../src/machines/index.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { applyMigrations } from '../../src/storage/migrations.ts';
import { createEmptyDatabase } from '../support/database.ts';

const OURS = 'prisma/migrations';

/** An empty database and a copy of our migrations, to which a test may add or do harm. */
async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createEmptyDatabase());
  const folder = await mkdtemp(join(tmpdir(), 'zpack-migrations-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  await cp(OURS, folder, { recursive: true });
  const closing = opened.move();
  return {
    folder,
    pool: database.pool,
    rows: async (text: string, values?: unknown[]) =>
      (await database.pool.query(text, values)).rows,
    /** Applies the folder in a session of its own, as a starting node would. */
    async run() {
      const client = new Client({ connectionString: database.url });
      await client.connect();
      try {
        return await applyMigrations(client, folder);
      } finally {
        await client.end();
      }
    },
    async add(name: string, sql: string) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'migration.sql'), sql);
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

const BOOKKEEPING = `SELECT migration_name, checksum, applied_steps_count, rolled_back_at,
  finished_at >= started_at AS is_finished FROM "_prisma_migrations" ORDER BY migration_name`;

test('a fresh database gets every migration, and the books say so as Prisma itself would', async () => {
  await using t = await setUp();
  const names = await namesIn(OURS);
  const expected = await Promise.all(
    names.map(async (name) => {
      const file = await readFile(join(OURS, name, 'migration.sql'));
      return {
        migration_name: name,
        checksum: createHash('sha256').update(file).digest('hex'),
        applied_steps_count: 1,
        rolled_back_at: null,
        is_finished: true,
      };
    }),
  );

  const applied = await t.run();

  expect(names.length).toBeGreaterThan(0);
  expect(applied).toEqual(names);
  expect(await t.rows(BOOKKEEPING)).toEqual(expected);
  expect(await t.rows('SELECT last_seq FROM journal_head')).toEqual([{ last_seq: '0' }]);
});

test('a second run applies nothing, and a new migration alone afterwards', async () => {
  await using t = await setUp();
  await t.run();

  const second = await t.run();
  await t.add('29990101000000_later', 'CREATE TABLE later (id INTEGER)');
  const third = await t.run();

  expect(second).toEqual([]);
  expect(third).toEqual(['29990101000000_later']);
});

test('runs that start at the same time apply each migration once', async () => {
  await using t = await setUp();
  const names = await namesIn(OURS);

  const runs = await Promise.all([t.run(), t.run(), t.run()]);

  expect(runs.flat()).toEqual(names);
  expect(await t.rows(BOOKKEEPING)).toHaveLength(names.length);
});

test('a migration that was edited after it had been applied is refused by its name', async () => {
  await using t = await setUp();
  const [first = ''] = await namesIn(OURS);
  await t.run();
  const file = join(t.folder, first, 'migration.sql');

  await writeFile(file, `${await readFile(file, 'utf8')}\n-- a harmless remark\n`);
  await t.add('29990101000000_later', 'CREATE TABLE later (id INTEGER)');

  await expect(t.run()).rejects.toThrow(`migration ${first} was edited`);
  expect(await t.rows(`SELECT to_regclass('later') AS later`)).toEqual([{ later: null }]);
});

test('a migration that fails half-way is named and leaves nothing of itself behind', async () => {
  await using t = await setUp();
  const bad = '29990101000000_bad';
  await t.add(bad, 'CREATE TABLE half (id INTEGER); INSERT INTO nowhere VALUES (1);');

  const failing = t.run();
  await expect(failing).rejects.toThrow(`migration ${bad} could not be applied`);
  await expect(failing).rejects.toMatchObject({ cause: { code: '42P01' } });
  const afterFailure = await t.rows(BOOKKEEPING);
  const half = await t.rows(`SELECT to_regclass('half') AS half`);
  await writeFile(join(t.folder, bad, 'migration.sql'), 'CREATE TABLE half (id INTEGER)');
  const corrected = await t.run();

  expect(afterFailure.map(({ migration_name }) => migration_name)).toEqual(await namesIn(OURS));
  expect(half).toEqual([{ half: null }]);
  expect(corrected).toEqual([bad]);
});

test('what was stored before the payload had a column of its own is read as it was', async () => {
  await using t = await setUp();
  const apart = '20261125090000_payload_column';
  const later = (await namesIn(OURS)).filter((name) => name >= apart);
  for (const name of later) await rm(join(t.folder, name), { recursive: true });
  await t.run();
  const golden = await Promise.all(
    Array.from({ length: definitions.instance.machineVersion }, (_, index) =>
      readFile(`tests/machines/golden/instance-v${index + 1}.json`, 'utf8'),
    ),
  );
  const snapshots = [...golden.flatMap((text) => JSON.parse(text) as object[]), { context: {} }];
  const before = snapshots.map((snapshot, index) => ({
    ...{ id: `i-${index}`, version: 3, machineVersion: 6, snapshot },
  }));
  await t.rows(
    `INSERT INTO container_instance (id, vmid, version, machine_version, snapshot)
     SELECT id, row_number() OVER (), version, "machineVersion", snapshot
     FROM jsonb_to_recordset($1) AS s(id text, version int, "machineVersion" int, snapshot jsonb)`,
    [JSON.stringify(before)],
  );

  for (const name of later) await cp(join(OURS, name), join(t.folder, name), { recursive: true });
  const applied = await t.run();

  const after = await createActorStore(t.pool).load(before.map(({ id }) => id));
  expect(applied).toEqual(later);
  expect(before.map(({ id }) => after.get(id))).toEqual(before);
  expect(before.length).toBeGreaterThan(500);
  const [count] = await t.rows(`SELECT count(*)::int AS all, count(payload)::int AS apart,
    count(*) FILTER (WHERE snapshot -> 'context' ? 'payload')::int AS twice
    FROM container_instance`);
  expect(count).toEqual({ all: before.length, apart: before.length - 1, twice: 0 });
});

test('a migration that Prisma began and never finished is left to a human, by its name', async () => {
  await using t = await setUp();
  const [first = ''] = await namesIn(OURS);
  await t.run();

  await t.rows('UPDATE "_prisma_migrations" SET finished_at = NULL');

  await expect(t.run()).rejects.toThrow(`migration ${first} was begun and never finished`);
});
