import { expect, test } from 'vitest';

import { ControlPlaneError } from '../../src/errors.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createEdgePorts, type EdgePortRange } from '../../src/storage/edge-ports.ts';
import { createTestDatabase } from '../support/database.ts';
import { createToys } from '../support/toy.ts';

const RUST: EdgePortRange = { protocol: 'udp', min: 28_015, max: 28_018 };
const owed = (kind: string, instanceId = '5001-a') => ({
  ...{ instanceId, vmid: 5001, kind, code: 'no_answer', message: 'm', subject: null },
});

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const second = opened.use(
    openDatabase({ url: database.url, connectionsMax: 8, onError: () => {} }),
  );
  const closing = opened.move();
  const nodes = [createEdgePorts(database.pool), createEdgePorts(second.pool)] as const;
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  return {
    database,
    nodes,
    ports: nodes[0],
    debts: createDebts(database.prisma),
    rows,
    held: async () =>
      (await rows('SELECT port FROM edge_port ORDER BY port')).map(({ port }) => port),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('an instance has one port, however often and from how many nodes it asks', async () => {
  await using t = await setUp();

  const first = await t.ports.reserve(RUST, '5001-a');
  const again = await Promise.all(
    Array.from({ length: 10 }, (_, i) => (t.nodes[i % 2] ?? t.ports).reserve(RUST, '5001-a')),
  );
  const fresh = await Promise.all(
    Array.from({ length: 10 }, (_, i) => (t.nodes[i % 2] ?? t.ports).reserve(RUST, '5002-a')),
  );

  expect(first).toBe(28_015);
  expect(new Set(again)).toEqual(new Set([28_015]));
  expect(new Set(fresh)).toEqual(new Set([28_016]));
  expect(await t.held()).toEqual([28_015, 28_016]);
});

test('reservations of two nodes at the same time are all different', async () => {
  await using t = await setUp();
  const wide = { ...RUST, max: RUST.min + 999 };

  const reserved = await Promise.all(
    Array.from({ length: 40 }, (_, i) => (t.nodes[i % 2] ?? t.ports).reserve(wide, `${i}-a`)),
  );

  expect(reserved.sort()).toEqual(Array.from({ length: 40 }, (_, i) => RUST.min + i));
});

test('the same port of another protocol is another port', async () => {
  await using t = await setUp();
  await t.ports.reserve(RUST, '5001-a');

  expect(await t.ports.reserve({ ...RUST, protocol: 'tcp' }, '5002-a')).toBe(RUST.min);
});

test('of more that come at once than there are ports, the rest learn that the range is exhausted', async () => {
  await using t = await setUp();

  const outcomes = await Promise.allSettled(
    Array.from({ length: 12 }, (_, i) => (t.nodes[i % 2] ?? t.ports).reserve(RUST, `${i}-a`)),
  );
  const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  const [held] = await t.rows('SELECT instance_id FROM edge_port WHERE port = 28016');
  await t.ports.release(held.instance_id);

  expect(refused).toHaveLength(8);
  for (const error of refused) {
    expect(error).toBeInstanceOf(ControlPlaneError);
    expect(error).toMatchObject({ code: 'port_range_exhausted', retryable: false });
  }
  expect(await t.ports.reserve(RUST, '5999-a')).toBe(28_016);
});

test('an instance whose range has been moved is given a port of the new one, and has one', async () => {
  await using t = await setUp();
  await t.ports.reserve(RUST, '5001-a');
  const moved: EdgePortRange = { protocol: 'tcp', min: 30_000, max: 30_001 };

  const reserved = await Promise.all([
    t.ports.reserve(moved, '5001-a'),
    t.nodes[1].reserve(moved, '5001-a'),
    t.nodes[1].reserve(moved, '5002-a'),
  ]);

  expect(reserved[0]).toBe(reserved[1]);
  expect(reserved.sort()).toEqual(expect.arrayContaining([30_000, 30_001]));
  expect(await t.held()).toEqual([30_000, 30_001]);
  const refused = t.ports.reserve(moved, '5003-a');
  await expect(refused).rejects.toMatchObject({ code: 'port_range_exhausted' });
});

test('a port is kept until the last of several debts is paid', async () => {
  await using t = await setUp();
  await t.ports.reserve(RUST, '5001-a');
  await t.ports.reserve(RUST, '5002-a');
  for (const kind of ['router', 'forward']) await t.debts.owe(owed(kind));
  const [first, second] = await t.debts.list(10);

  if (first) await t.debts.pay(first);
  const between = await t.held();
  if (second) await t.debts.pay(second);

  expect(between).toEqual([28_015, 28_016]);
  expect(await t.held()).toEqual([28_016]);
});

test('what came to nothing is given back; what has an instance, a debt or is young is kept', async () => {
  await using t = await setUp();
  await createToys(t.database, [5000]);
  for (const id of ['5000-toy', '5001-a', '5002-abandoned', '5003-young'])
    await t.ports.reserve(RUST, id);
  await t.rows(`UPDATE edge_port SET created_at = now() - interval '1 hour'
    WHERE instance_id <> '5003-young'`);
  await t.debts.owe(owed('router'));

  const released = await t.ports.releaseAbandoned(10 * 60_000);

  expect(released).toBe(1);
  expect(await t.held()).toEqual([28_015, 28_016, 28_018]);
});
