import { describe, expect, test } from 'vitest';

import type { Step } from '../../src/actors/store.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createTestDatabase } from '../support/database.ts';
import { createToys } from '../support/toy.ts';
import { until } from '../support/until.ts';

const stepOf = (vmid: number, version: number, overrides: Partial<Step> = {}): Step => ({
  id: `${vmid}-toy`,
  version,
  machineVersion: 1,
  snapshot: {
    value: 'working',
    context: { customerId: 'c-1', debts: [] },
    status: 'active',
    since: {},
  },
  eventId: `e-${version}`,
  event: { type: 'work.requested' },
  effects: [{ key: `${vmid}-toy/${version}/0`, kind: 'toy.work', params: {} }],
  arms: [{ timerId: 't', delayMs: 1000, event: { type: 't' } }],
  cancels: [],
  operations: [],
  unchanged: [],
  archives: false,
  ...overrides,
});

test('a version conflict leaves neither journal nor outbox nor timer rows behind', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100, 101]);
  const store = createActorStore(database.pool);

  const outcomes = await store.commit([stepOf(100, 2), stepOf(101, 7)]);

  expect(outcomes).toEqual(['committed', 'void']);
  for (const table of ['effect', 'timer']) {
    const { rows } = await database.pool.query(`SELECT instance_id FROM ${table}`);
    expect(rows, table).toEqual([{ instance_id: '100-toy' }]);
  }
  const { rows } = await database.pool.query('SELECT seq, instance_id FROM journal ORDER BY seq');
  expect(rows).toHaveLength(3);
  expect(rows.at(-1)).toEqual({ seq: '3', instance_id: '100-toy' });
});

const kept = (key: string, fingerprint: string) => ({
  userId: 'u-1',
  key,
  fingerprint,
  status: 202,
  response: {},
});

test('an operation and the answer to its request are kept with the step, or not at all', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100, 101]);
  const store = createActorStore(database.pool);
  const operations = [{ id: 'op-1', acceptedAt: 5 }];
  const ended = [{ id: 'op-1', acceptedAt: 5, state: 'succeeded' }];

  const outcomes = await store.commit([
    stepOf(100, 2, { operations, answer: kept('k-1', 'a') }),
    stepOf(101, 7, { operations: [{ id: 'op-2', acceptedAt: 5 }], answer: kept('k-2', 'a') }),
  ]);
  await store.commit([stepOf(100, 3, { operations: ended })]);

  expect(outcomes).toEqual(['committed', 'void']);
  const { rows } = await database.pool.query('SELECT id, vmid, record FROM operation');
  expect(rows).toEqual([{ id: 'op-1', vmid: 100, record: ended[0] }]);
  const { rows: keys } = await database.pool.query('SELECT key FROM idempotency_key');
  expect(keys).toEqual([{ key: 'k-1' }]);
});

test('operations of two instances that happen to bear the same name do not meet', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100, 101]);
  const store = createActorStore(database.pool);
  const operations = [{ id: 'op-1', acceptedAt: 5 }];

  const outcomes = await store.commit([
    stepOf(100, 2, { operations }),
    stepOf(101, 2, { operations }),
  ]);

  expect(outcomes).toEqual(['committed', 'committed']);
  const { rows } = await database.pool.query('SELECT vmid FROM operation ORDER BY vmid');
  expect(rows).toEqual([{ vmid: 100 }, { vmid: 101 }]);
});

test('a key that another request has used takes nothing but its own step down', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100, 101]);
  const store = createActorStore(database.pool);
  await store.commit([stepOf(100, 2, { answer: kept('k-1', 'a') })]);

  const reused = store.commit([stepOf(101, 2, { answer: kept('k-1', 'b') })]);

  await expect(reused).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  const { rows } = await database.pool.query('SELECT 1 FROM journal WHERE vmid = 101');
  expect(rows).toHaveLength(1);
});

test('a conflicting last step archives nothing', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100]);
  const store = createActorStore(database.pool);

  expect(await store.commit([stepOf(100, 9, { archives: true })])).toEqual(['void']);

  const { rows } = await database.pool.query(
    'SELECT (SELECT count(*)::int FROM container_instance) AS alive, (SELECT count(*)::int FROM deleted_instance) AS dead, (SELECT count(*)::int FROM journal) AS journaled',
  );
  expect(rows).toEqual([{ alive: 1, dead: 0, journaled: 1 }]);
});

test('a reader of the journal misses no row of a transaction that was held open', async () => {
  await using database = await createTestDatabase();
  await createToys(database, [100, 101]);
  const store = createActorStore(database.pool);
  const holder = await database.pool.connect();
  await holder.query('BEGIN');
  await createActorStore(holder as never).commit([stepOf(100, 2)]);
  let isSecondDone = false;

  const second = store.commit([stepOf(101, 2)]).then(() => {
    isSecondDone = true;
  });
  const isWaiting = async () => {
    const { rows } = await database.pool.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  await until(isWaiting, { what: 'the second commit to wait for the first' });
  const during = await database.pool.query('SELECT max(seq)::int AS last FROM journal');
  const wasSecondDone = isSecondDone;
  await holder.query('COMMIT');
  holder.release();
  await second;
  const after = await database.pool.query(
    'SELECT seq::int, instance_id FROM journal WHERE seq > $1 ORDER BY seq',
    [during.rows[0].last],
  );

  expect(wasSecondDone).toBe(false);
  expect(after.rows).toEqual([
    { seq: 3, instance_id: '100-toy' },
    { seq: 4, instance_id: '101-toy' },
  ]);
});

const contextOf = (payload: unknown, more: object = {}) => ({
  ...stepOf(100, 2).snapshot,
  context: { customerId: 'c-1', debts: [], ...more, payload },
});
/** So long that it lies out of line. */
const LONG = { names: Array.from({ length: 400 }, (_, index) => `name-${index}.example.com`) };

describe('a payload', () => {
  test('is written by a step that changes it, and left alone by one that does not', async () => {
    await using database = await createTestDatabase();
    await createToys(database, [100]);
    const store = createActorStore(database.pool);
    const stored = async () => (await store.load(['100-toy'])).get('100-toy')?.snapshot;

    const changing = contextOf(LONG);
    await store.commit([stepOf(100, 2, { snapshot: changing })]);
    const afterChange = await stored();
    // What is said to be unchanged is not looked at: this one lies, so that it can be told apart.
    const keeping = contextOf('another', { count: 1 });
    await store.commit([stepOf(100, 3, { snapshot: keeping, unchanged: ['payload'] })]);

    expect(afterChange).toEqual(changing);
    expect(await stored()).toEqual(contextOf(LONG, { count: 1 }));
    const { rows } = await database.pool.query(
      `SELECT payload, snapshot -> 'context' ? 'payload' AS "isTwice" FROM container_instance`,
    );
    expect(rows).toEqual([{ payload: LONG, isTwice: false }]);
  });

  test('is neither written nor left by a step that lost the race', async () => {
    await using database = await createTestDatabase();
    await createToys(database, [100]);
    const store = createActorStore(database.pool);
    const first = contextOf({ by: 'the first' });
    await store.commit([stepOf(100, 2, { snapshot: first })]);

    const late = stepOf(100, 2, { snapshot: contextOf({ by: 'the second' }), eventId: 'late' });
    const kept = { ...late, snapshot: contextOf(null, { count: 1 }), unchanged: ['payload'] };

    expect(await store.commit([late])).toEqual(['void']);
    expect(await store.commit([kept])).toEqual(['void']);
    expect((await store.load(['100-toy'])).get('100-toy')?.snapshot).toEqual(first);
  });

  test.each([
    ['that changes it', [], { last: true }],
    ['that does not', ['payload'], LONG],
  ])('is archived by a last step %s', async (_, unchanged, expected) => {
    await using database = await createTestDatabase();
    await createToys(database, [100]);
    const store = createActorStore(database.pool);
    await store.commit([stepOf(100, 2, { snapshot: contextOf(LONG) })]);
    const order = { ctype: 'game', hostname: 'h', allocatedPorts: [], operation: {} };
    const snapshot = contextOf({ last: true }, order);

    await store.commit([stepOf(100, 3, { snapshot, unchanged, archives: true })]);

    const { rows } = await database.pool.query('SELECT payload FROM deleted_instance');
    expect(rows).toEqual([{ payload: expected }]);
  });

  test('of a release that writes it where it was before is refused, not lost', async () => {
    await using database = await createTestDatabase();
    await createToys(database, [100]);

    const writing = database.pool.query(
      `UPDATE container_instance SET snapshot = jsonb_set(snapshot, '{context,payload}', '{}')`,
    );

    await expect(writing).rejects.toThrow('container_instance_payload_apart');
  });
});
