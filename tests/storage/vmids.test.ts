import { expect, test } from 'vitest';

import { ControlPlaneError } from '../../src/errors.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createVmids } from '../../src/storage/vmids.ts';
import { createTestDatabase } from '../support/database.ts';
import { createToys } from '../support/toy.ts';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const second = opened.use(
    openDatabase({ url: database.url, connectionsMax: 8, onError: () => {} }),
  );
  const closing = opened.move();
  const nodes = [createVmids(database.pool), createVmids(second.pool)] as const;
  let lives = 0;
  return {
    database,
    nodes,
    vmids: nodes[0],
    idOf: (vmid: number) => `${vmid}-${++lives}`,
    rows: async (text: string) => (await database.pool.query(text)).rows,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const range = { name: 'game', min: 5000, max: 5003 };

test('numbers are handed out round the range, so that each rests before it is used again', async () => {
  await using t = await setUp();
  const reserve = async () => t.vmids.reserve(range, t.idOf);

  const numbers: number[] = [];
  for (let i = 0; i < 6; i += 1) {
    const { vmid, id } = await reserve();
    numbers.push(vmid);
    await t.vmids.release(id);
  }

  expect(numbers).toEqual([5000, 5001, 5002, 5003, 5000, 5001]);
});

test('numbers that are reserved, or that an instance has, are left out', async () => {
  await using t = await setUp();
  await createToys(t.database, [5001]);
  const first = await t.vmids.reserve(range, t.idOf);

  const second = await t.vmids.reserve(range, t.idOf);
  const third = await t.vmids.reserve(range, t.idOf);
  await t.vmids.release(third.id);
  const fourth = await t.vmids.reserve(range, t.idOf);

  expect([first, second, third, fourth].map(({ vmid }) => vmid)).toEqual([5000, 5002, 5003, 5003]);
});

test('a range with nothing left says so, and goes on once a number is given back', async () => {
  await using t = await setUp();
  const one = { name: 'tiny', min: 7000, max: 7000 };
  const { id } = await t.vmids.reserve(one, t.idOf);

  const refused = await t.vmids.reserve(one, t.idOf).catch((error: unknown) => error);
  await t.vmids.release(id);
  const again = await t.vmids.reserve(one, t.idOf);

  expect(refused).toBeInstanceOf(ControlPlaneError);
  expect(refused).toMatchObject({ code: 'vmid_range_exhausted', retryable: false });
  expect(again.vmid).toBe(7000);
});

test('reservations of two nodes at the same time are all different', async () => {
  await using t = await setUp();
  const wide = { name: 'wide', min: 5000, max: 5999 };

  const reserved = await Promise.all(
    Array.from({ length: 50 }, (_, i) => (t.nodes[i % 2] ?? t.vmids).reserve(wide, t.idOf)),
  );

  expect(reserved.map(({ vmid }) => vmid).sort()).toEqual(
    Array.from({ length: 50 }, (_, i) => 5000 + i),
  );
});

test('of more that come at once than there are numbers, the rest learn that the range is exhausted', async () => {
  await using t = await setUp();

  const outcomes = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      (t.nodes[i % 2] ?? t.vmids).reserve(range, t.idOf).then(
        ({ vmid }) => vmid,
        (error: { code?: string }) => error.code,
      ),
    ),
  );

  expect(outcomes.filter((outcome) => typeof outcome === 'number').sort()).toEqual([
    5000, 5001, 5002, 5003,
  ]);
  expect(outcomes.filter((outcome) => typeof outcome !== 'number')).toEqual(
    Array(8).fill('vmid_range_exhausted'),
  );
});

test('two ranges that overlap share their numbers, and neither trips over the other', async () => {
  await using t = await setUp();
  const game = { name: 'game', min: 5000, max: 5019 };
  const dev = { name: 'dev', min: 5000, max: 5019 };

  const reserved = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (t.nodes[i % 2] ?? t.vmids).reserve(i % 2 ? game : dev, t.idOf),
    ),
  );

  expect(new Set(reserved.map(({ vmid }) => vmid)).size).toBe(20);
});

test('a reservation that came to nothing is given back; one with an instance or a debt is kept', async () => {
  await using t = await setUp();
  await createToys(t.database, [5000]);
  const reserve = (vmid: number, id: string, age: string) =>
    t.rows(`INSERT INTO vmid_reservation (vmid, instance_id, created_at)
      VALUES (${vmid}, '${id}', now() - interval '${age}')`);
  await reserve(5000, '5000-toy', '1 hour');
  await reserve(5001, '5001-owed', '1 hour');
  await reserve(5002, '5002-abandoned', '1 hour');
  await reserve(5003, '5003-fresh', '1 minute');
  await t.rows(`INSERT INTO debt (instance_id, vmid, kind, code, message)
    VALUES ('5001-owed', 5001, 'container', 'no_answer', 'm')`);

  const released = await t.vmids.releaseAbandoned(10 * 60_000);

  expect(released).toBe(1);
  expect(await t.rows('SELECT vmid FROM vmid_reservation ORDER BY vmid')).toEqual([
    { vmid: 5000 },
    { vmid: 5001 },
    { vmid: 5003 },
  ]);
});
