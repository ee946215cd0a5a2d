import { expect, test } from 'vitest';

import { openDatabase } from '../../src/storage/database.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createTestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

const OWED = {
  instanceId: '5001-a',
  vmid: 5001,
  kind: 'container',
  code: 'orphan',
  message: 'found on Proxmox',
  subject: null,
};

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const second = opened.use(
    openDatabase({ url: database.url, connectionsMax: 4, onError: () => {} }),
  );
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  await rows(`INSERT INTO vmid_reservation (vmid, instance_id) VALUES (5001, '5001-a')`);
  const closing = opened.move();
  return {
    debts: createDebts(database.prisma),
    other: createDebts(second.prisma),
    rows,
    reserved: () => rows('SELECT vmid FROM vmid_reservation'),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('a container is owed once, whoever says so and however often', async () => {
  await using t = await setUp();

  await t.debts.owe(OWED);
  await Promise.all(
    Array.from({ length: 8 }, (_, i) => (i % 2 ? t.debts : t.other).owe({ ...OWED, code: 'x' })),
  );

  expect(await t.debts.listOf(5001)).toMatchObject([{ ...OWED, attempts: 0 }]);
});

test('a container that several say at the same time is owed is still owed once', async () => {
  await using t = await setUp();
  // Both clients have connected before, so that none of the eight has a start.
  await Promise.all([t.debts, t.other, t.debts, t.other].map((debts) => debts.list(1)));

  await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? t.debts : t.other).owe(OWED)));

  expect(await t.debts.listOf(5001)).toHaveLength(1);
});

test('a debt that is paid is gone, and its number is free', async () => {
  await using t = await setUp();
  await t.debts.owe(OWED);
  const [debt] = await t.debts.list(10);

  if (debt) await t.debts.pay(debt);

  expect(await t.debts.list(10)).toEqual([]);
  expect(await t.reserved()).toEqual([]);
});

test('a number stays reserved until the last of several debts is paid', async () => {
  await using t = await setUp();
  await t.debts.owe(OWED);
  await t.rows(`INSERT INTO debt (instance_id, vmid, kind, code, message)
    VALUES ('5001-a', 5001, 'volume', 'c', 'm')`);
  const [first, second] = await t.debts.list(10);

  if (first) await t.debts.pay(first);
  const between = await t.reserved();
  if (second) await t.debts.pay(second);

  expect(between).toEqual([{ vmid: 5001 }]);
  expect(await t.reserved()).toEqual([]);
});

test('the number is free although two nodes paid the last two debts at the same time', async () => {
  await using t = await setUp();
  await t.debts.owe(OWED);
  await t.rows(`INSERT INTO debt (instance_id, vmid, kind, code, message)
    VALUES ('5001-a', 5001, 'volume', 'c', 'm')`);
  const [owed] = await Promise.all([t.debts, t.other].map((debts) => debts.list(10)));

  await Promise.all((owed ?? []).map((debt, i) => (i % 2 ? t.debts : t.other).pay(debt)));

  expect(await t.debts.list(10)).toEqual([]);
  expect(await t.reserved()).toEqual([]);
});

test('paying twice is paying once, and takes nothing from the next life of the number', async () => {
  await using t = await setUp();
  await t.debts.owe(OWED);
  const [debt] = await t.debts.list(10);
  if (debt) await t.debts.pay(debt);
  await t.rows(`INSERT INTO vmid_reservation (vmid, instance_id) VALUES (5001, '5001-b')`);

  if (debt) await t.other.pay(debt);

  expect(await t.reserved()).toEqual([{ vmid: 5001 }]);
});

test('a debt that could not be paid says why, how often, and goes to the end of the queue', async () => {
  await using t = await setUp();
  await t.debts.owe(OWED);
  await t.debts.owe({ ...OWED, instanceId: '5002-a', vmid: 5002 });
  const [first] = await t.debts.list(1);

  // The order goes by a clock in ms: the next one begins before anybody is served again.
  await until(
    async () => {
      const [{ is_past: isPast }] = await t.rows(
        'SELECT max(tried_at) < clock_timestamp() - interval $$2 ms$$ AS is_past FROM debt',
      );
      return isPast === true;
    },
    { what: 'the next millisecond' },
  );
  if (first) await t.debts.postpone(first.id, { code: 'container_locked', message: 'backup' });

  expect(await t.debts.list(10)).toMatchObject([
    { vmid: 5002, attempts: 0 },
    { vmid: 5001, attempts: 1, code: 'container_locked', message: 'backup' },
  ]);
});
