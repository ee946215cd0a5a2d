import { expect, test } from 'vitest';

import { createBillingSchedule } from '../../src/queues/workers/billing-schedule.ts';
import { createBillingRuns } from '../../src/storage/billing-runs.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createTestDatabase } from '../support/database.ts';

const logger = createLogger('silent');
const never = new AbortController().signal;

async function setUp() {
  const database = await createTestDatabase();
  const runs = createBillingRuns(database.pool);
  return {
    runs,
    /** As a node has it. */
    schedule: (task: () => Promise<Record<string, number>>, leaseMs = 60_000) =>
      createBillingSchedule({ runs, tasks: { reconcile: task }, logger, leaseMs }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

test('of two nodes that run the schedule at the same moment one does', async () => {
  await using world = await setUp();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let performed = 0;
  const run = world.schedule(async () => {
    performed += 1;
    await released;
    return { asked: 3 };
  });

  const both = [run('reconcile', never), run('reconcile', never)];
  const first = await Promise.race(both);
  release();
  const outcomes = await Promise.all(both);

  expect(first).toBeNull();
  expect(performed).toBe(1);
  expect(outcomes.filter((one) => one !== null)).toMatchObject([
    { kind: 'reconcile', outcome: 'succeeded', result: { asked: 3 } },
  ]);
  expect(await run('reconcile', never)).toMatchObject({ outcome: 'succeeded' });
});

test('a run that fails says so, and the next one is not kept from beginning', async () => {
  await using world = await setUp();
  const failing = world.schedule(() => Promise.reject(new TypeError('no')));

  const failed = await failing('reconcile', never);
  const next = await world.schedule(async () => ({}))('reconcile', never);

  expect(failed).toMatchObject({ outcome: 'failed', result: { error: 'TypeError' } });
  expect(next).toMatchObject({ outcome: 'succeeded' });
});

test('a run whose node has died is abandoned once its lease is over', async () => {
  await using world = await setUp();
  const dead = await world.runs.begin({ kind: 'reconcile', token: 'dead', leaseMs: -1 });

  const next = await world.schedule(async () => ({ asked: 1 }))('reconcile', never);

  expect(next).toMatchObject({ outcome: 'succeeded' });
  const listed = await world.runs.list(10);
  expect(listed.map(({ id, outcome }) => [id, outcome])).toEqual([
    [next?.id, 'succeeded'],
    [dead?.id, 'abandoned'],
  ]);
  // Whoever was thought dead and comes back changes nothing.
  expect(await world.runs.renew(dead?.id ?? '', 'dead', 1_000)).toBe(false);
});
