import { afterAll, expect, test } from 'vitest';

import { createHistory } from '../../src/storage/history.ts';
import { createTestDatabase } from '../support/database.ts';
import { insertInstance } from '../support/instance-row.ts';

const database = await createTestDatabase();
afterAll(() => database[Symbol.asyncDispose]());
const { pool } = database;
const history = createHistory(pool);

const STEPS = 5_000;
const ID = '5001-long';
const BORN_AT = 1_000_000;
const READY_AT = BORN_AT + 20;
/** Every hundredth event bears the time of a clock that is slow. */
const timeOf = (version: string) =>
  `${BORN_AT} + 10 * ${version} - CASE WHEN ${version} % 100 = 0 THEN 200 ELSE 0 END`;

/** A server that was made ready by its second step, and whose agent has come and gone since. */
await pool.query(
  `INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
   SELECT 2 * v, $1, 5001, v, 'e' || v,
     jsonb_build_object('type', 'event-' || v, 'at', CASE v
       WHEN 1 THEN ${BORN_AT} WHEN 2 THEN ${READY_AT} ELSE ${timeOf('v')} END),
     jsonb_build_object('recovery', 'idle',
       'provisioning', CASE v WHEN 1 THEN 'cloning' ELSE 'ready' END,
       'agent', CASE v % 2 WHEN 0 THEN 'ready' ELSE 'alive' END)
   FROM generate_series(1, $2::int) AS v`,
  [ID, STEPS],
);
// Somebody else's steps lie between.
await pool.query(
  `INSERT INTO journal (seq, instance_id, vmid, version, event_id, event, state)
   SELECT 2 * v + 1, '5002-other', 5002, v, 'e' || v, '{}', '{}' FROM generate_series(1, 100) AS v`,
);
const since = { recovery: BORN_AT, provisioning: READY_AT, agent: BORN_AT + 10 * STEPS - 200 };
await insertInstance(pool, { id: ID, vmid: 5001, version: STEPS, snapshot: { since } });

test('finds what moved each region, however long ago, without reading what came after', async () => {
  const startedAt = performance.now();
  const evidence = await history.explain(ID);
  const ms = performance.now() - startedAt;

  expect(evidence?.causes).toMatchObject({
    recovery: { revision: 1, seq: 2 },
    provisioning: { revision: 2, seq: 4, event: { type: 'event-2' } },
    // The latest step was stamped by the slow clock.
    agent: { revision: STEPS },
  });
  console.log(`explained a story of ${STEPS} steps in ${ms.toFixed(1)} ms`);
});

test('has no cause for what no entry tells of', async () => {
  const snapshot = { since: { host: 5 }, context: { payload: { game: 'terraria' } } };
  await insertInstance(pool, { id: '5003-bare', vmid: 5003, version: 3, snapshot });

  expect(await history.explain('5003-bare')).toMatchObject({ causes: {}, timers: [], snapshot });
  expect(await history.explain('nobody')).toBeNull();
});

test('is read backwards from any entry, by key', async () => {
  const page = await history.read(ID, { before: 6, limit: 10 });
  const between = await history.read(ID, { before: 7, limit: 1 });
  const latest = await history.read(ID, { before: null, limit: 2 });

  expect(page.map(({ revision }) => revision)).toEqual([2, 1]);
  expect(page[0]).toMatchObject({ seq: 4, before: { provisioning: 'cloning' } });
  expect(page[1]?.before).toBeNull();
  expect(between.map(({ seq }) => seq)).toEqual([6]);
  expect(latest.map(({ revision }) => revision)).toEqual([STEPS, STEPS - 1]);
});
