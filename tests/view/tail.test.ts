import { expect, test } from 'vitest';

import { createFleetRows, createJournalReader } from '../../src/storage/journal.ts';
import { createFleet } from '../../src/view/fleet.ts';
import type { JournalEntry } from '../../src/view/journal.ts';
import { startTail } from '../../src/view/tail.ts';
import { createTestDatabase } from '../support/database.ts';
import { createFleetWriter, idOf } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const writer = createFleetWriter(database);
  const journal = createJournalReader(database.pool);
  const closing = opened.move();

  async function startFollower() {
    const fleet = createFleet();
    const errors: unknown[] = [];
    const heard: JournalEntry[] = [];
    let restarts = 0;
    const tail = await startTail({
      journal,
      rows: createFleetRows(database.pool),
      fleet,
      upgrade: ({ snapshot }) => snapshot,
      now: Date.now,
      onError: (error) => errors.push(error),
    });
    tail.subscribe({
      followed: (entries) => heard.push(...entries),
      restarted: () => {
        restarts += 1;
      },
    });
    const close = () => tail[Symbol.asyncDispose]();
    const hears = (count: number) =>
      until(() => heard.length >= count, { what: `${count} entries` });
    return { fleet, tail, heard, errors, hears, close, restarts: () => restarts };
  }
  return { database, writer, startFollower, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

test('what nobody has told it is found all the same, in order and once', async () => {
  await using t = await setUp();
  await t.writer.create([{ vmid: 5001, customerId: 'c-1' }]);
  const follower = await t.startFollower();

  await t.writer.create([{ vmid: 5002, customerId: 'c-2' }]);
  for (let round = 0; round < 3; round += 1) await t.writer.change([5001, 5002]);
  await t.writer.end(5001);
  await follower.hears(8);
  await follower.close();

  expect(follower.heard.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  expect(follower.heard.at(-1)).toMatchObject({ id: idOf(5001), customerId: 'c-1' });
  expect(follower.fleet.get(5001)).toBeUndefined();
  expect(follower.fleet.get(5002)).toMatchObject({ version: 4, customerId: 'c-2' });
  expect(follower.errors).toEqual([]);
});

test('a transaction that is held open is not overtaken by one that commits first', async () => {
  await using t = await setUp();
  await t.writer.create([5001, 5002].map((vmid) => ({ vmid, customerId: 'c-1' })));
  const follower = await t.startFollower();
  const held = await t.database.pool.connect();

  await held.query('BEGIN');
  await held.query('UPDATE journal_head SET last_seq = last_seq + 1');
  await held.query(
    `INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
     SELECT last_seq, $1, 5001, 2, 'held', '{"type":"held"}', '{}' FROM journal_head`,
    [idOf(5001)],
  );
  const second = t.writer.change([5002]);
  const waits = await until(
    async () => {
      const { rows } = await t.database.pool.query(
        `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      );
      return rows.length > 0;
    },
    { what: 'the second commit to wait for the first' },
  );
  await held.query('COMMIT');
  held.release();
  await second;
  await follower.hears(2);
  await follower.close();

  expect(waits).toBe(true);
  expect(follower.heard.map(({ seq, type }) => [seq, type])).toEqual([
    [3, 'held'],
    [4, 'agent.observed'],
  ]);
});

test('a database that was restored to an earlier state is read anew', async () => {
  await using t = await setUp();
  await t.writer.create([5001, 5002].map((vmid) => ({ vmid, customerId: 'c-1' })));
  await t.writer.change([5001, 5002]);
  const follower = await t.startFollower();

  await t.database.pool.query(`DELETE FROM container_instance WHERE vmid = 5002`);
  await t.database.pool.query(
    `UPDATE container_instance SET version = 1, snapshot = jsonb_set(snapshot, '{context,ip}', '"10.0.0.9"')`,
  );
  await t.database.pool.query('DELETE FROM journal WHERE seq > 2');
  await t.database.pool.query('UPDATE journal_head SET last_seq = 2');
  await until(() => follower.restarts() > 0, { what: 'the follower to notice' });
  await follower.close();

  expect(follower.fleet.get(5001)).toMatchObject({
    version: 1,
    state: { context: { ip: '10.0.0.9' } },
  });
  expect(follower.fleet.get(5002)).toBeUndefined();
  expect(follower.tail.seq()).toBe(2);
});

test('a database that is away for a moment is asked again', async () => {
  await using t = await setUp();
  await t.writer.create([{ vmid: 5001, customerId: 'c-1' }]);
  const follower = await t.startFollower();

  await t.database.pool.query('ALTER TABLE journal RENAME TO journal_away');
  await until(() => follower.errors.length > 0, { what: 'a look that does not succeed' });
  await t.database.pool.query('ALTER TABLE journal_away RENAME TO journal');
  await t.writer.change([5001]);
  await follower.hears(1);
  await follower.close();

  expect(follower.fleet.get(5001)?.version).toBe(2);
});

test('more changes than one page holds arrive complete', async () => {
  await using t = await setUp();
  const vmids = Array.from({ length: 250 }, (_, index) => 5001 + index);
  await t.writer.create(vmids.map((vmid) => ({ vmid, customerId: 'c-1' })));
  const follower = await t.startFollower();

  for (let round = 0; round < 10; round += 1) await t.writer.change(vmids);
  await follower.hears(2_500);
  await follower.close();

  expect(follower.heard.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 2_500 }, (_, index) => 251 + index),
  );
  expect(follower.fleet.select({ customerId: null }).every(({ version }) => version === 11)).toBe(
    true,
  );
  // The last two thousand at least are kept at hand.
  expect(follower.tail.recent.between(1_000, 1_002)?.map(({ seq }) => seq)).toEqual([1_001, 1_002]);
});
