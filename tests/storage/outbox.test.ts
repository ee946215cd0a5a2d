import { expect, test } from 'vitest';

import { openDatabase } from '../../src/storage/database.ts';
import { createOutbox } from '../../src/storage/outbox.ts';
import { createTestDatabase } from '../support/database.ts';

const LEASE_MS = 60_000;
const KEY = '5001-a/1/0';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const second = opened.use(
    openDatabase({ url: database.url, connectionsMax: 4, onError: () => {} }),
  );
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  const add = (key: string, age = '0 s') =>
    rows(`INSERT INTO effect (key, instance_id, kind, params, created_at)
      VALUES ('${key}', '5001-a', 'container.clone', '{"vmid": 5001}', now() - interval '${age}')`);
  await add(KEY);
  const closing = opened.move();
  return {
    outbox: createOutbox(database.pool),
    other: createOutbox(second.pool),
    rows,
    add,
    /** Stands for the time that passes when a holder has died. */
    expire: () => rows(`UPDATE effect SET leased_until = now() - interval '1 ms'`),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('who claims an effect gets what is to be done, and nobody else does meanwhile', async () => {
  await using t = await setUp();

  const entry = await t.outbox.claim(KEY, 'one', LEASE_MS);
  const second = await t.other.claim(KEY, 'two', LEASE_MS);

  expect(entry).toEqual({
    key: KEY,
    instanceId: '5001-a',
    kind: 'container.clone',
    params: { vmid: 5001 },
    ageMs: expect.any(Number),
  });
  expect(second).toBeNull();
});

test('of many who claim at the same time, one gets it', async () => {
  await using t = await setUp();

  const claims = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      (i % 2 ? t.outbox : t.other).claim(KEY, `token-${i}`, LEASE_MS),
    ),
  );

  expect(claims.filter((entry) => entry !== null)).toHaveLength(1);
  expect(await t.rows('SELECT claims FROM effect')).toEqual([{ claims: 1 }]);
});

test('an effect that has ended cannot be claimed', async () => {
  await using t = await setUp();

  await t.rows('DELETE FROM effect');

  expect(await t.outbox.claim(KEY, 'one', LEASE_MS)).toBeNull();
});

test('a lease that its holder lets expire goes to the next, and its holder learns of it', async () => {
  await using t = await setUp();
  await t.outbox.claim(KEY, 'one', LEASE_MS);
  await t.expire();

  const successor = await t.other.claim(KEY, 'two', LEASE_MS);
  const isRenewed = await t.outbox.renew(KEY, 'one', LEASE_MS);
  await t.outbox.release(KEY, 'one');

  expect(successor).toMatchObject({ key: KEY });
  expect(isRenewed).toBe(false);
  expect(
    await t.rows('SELECT lease_token, leased_until > now() AS is_held, claims FROM effect'),
  ).toEqual([{ lease_token: 'two', is_held: true, claims: 2 }]);
});

test('a holder that is late may go on if nobody came between', async () => {
  await using t = await setUp();
  await t.outbox.claim(KEY, 'one', LEASE_MS);
  await t.expire();

  const isRenewed = await t.outbox.renew(KEY, 'one', LEASE_MS);

  expect(isRenewed).toBe(true);
  expect(await t.other.claim(KEY, 'two', LEASE_MS)).toBeNull();
});

test('an effect that is given back can be claimed at once', async () => {
  await using t = await setUp();
  await t.outbox.claim(KEY, 'one', LEASE_MS);

  await t.outbox.release(KEY, 'one');

  expect(await t.other.claim(KEY, 'two', LEASE_MS)).toMatchObject({ key: KEY });
});

test('the sweep is shown what nobody holds and is old enough, page by page', async () => {
  await using t = await setUp();
  await t.add('held', '4 s');
  await t.add('oldest', '5 s');
  await t.add('old', '3 s');
  await t.add('expired', '4 s');
  for (const key of ['held', 'expired']) await t.outbox.claim(key, 'one', LEASE_MS);
  await t.rows(`UPDATE effect SET leased_until = now() - interval '1 s' WHERE key = 'expired'`);

  const unheld = await t.outbox.listUnheld({ ageMs: 1_000, limit: 10 });
  const first = await t.outbox.listUnheld({ ageMs: 1_000, limit: 2 });
  const rest = await t.outbox.listUnheld({ ageMs: 1_000, limit: 2, after: 'old' });

  expect(unheld.map(({ key }) => key)).toEqual(['expired', 'old', 'oldest']);
  expect(first.map(({ key }) => key)).toEqual(['expired', 'old']);
  expect(rest.map(({ key }) => key)).toEqual(['oldest']);
});
