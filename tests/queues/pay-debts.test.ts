import { expect, test } from 'vitest';

import type { Perform } from '../../src/queues/effects/performer.ts';
import { createDebtCollector } from '../../src/queues/workers/pay-debts.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createTestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';
import { idOf, setUpEffects } from './effects-world.ts';
import { logger } from './worker-world.ts';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const host = opened.use(await setUpEffects());
  const database = opened.use(await createTestDatabase());
  const debts = createDebts(database.prisma);
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  const running = new AbortController().signal;
  const collectorOf = (destroy: Perform<'container.destroy'>) => {
    const collect = createDebtCollector({
      debts,
      performers: { ...host.node.performers, 'container.destroy': destroy },
      logger,
    });
    return (shutdown = running) => collect(shutdown);
  };
  const closing = opened.move();
  return {
    host,
    debts,
    collectorOf,
    collect: collectorOf(host.node.performers['container.destroy']),
    collectElsewhere: collectorOf(host.nodes[1].performers['container.destroy']),
    async owe(vmid: number) {
      await rows(
        `INSERT INTO vmid_reservation (vmid, instance_id) VALUES (${vmid}, '${idOf(vmid)}')`,
      );
      const why = { code: 'no_answer', message: 'm' };
      await debts.owe({ instanceId: idOf(vmid), vmid, kind: 'container', subject: null, ...why });
    },
    reserved: async () =>
      (await rows('SELECT vmid FROM vmid_reservation ORDER BY vmid')).map(({ vmid }) => vmid),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('a debt is paid by destroying the container, and only then is its number free', async () => {
  await using t = await setUp();
  await t.host.running(5001);
  await t.owe(5001);

  await t.collect();

  expect(t.host.snapshot(5001)).toBeUndefined();
  expect(await t.debts.list(10)).toEqual([]);
  expect(await t.reserved()).toEqual([]);
});

test('a debt that cannot be paid is postponed with the reason, and paid when it can be', async () => {
  await using t = await setUp();
  await t.host.clone(5001);
  await t.owe(5001);
  t.host.proxmox.setLock(5001, 'backup');

  await t.collect();
  await t.collect();
  const postponed = await t.debts.list(10);
  const reservedMeanwhile = await t.reserved();
  t.host.proxmox.setLock(5001, null);
  await t.collect();

  expect(postponed).toMatchObject([{ vmid: 5001, attempts: 2, code: 'container_locked' }]);
  expect(reservedMeanwhile).toEqual([5001]);
  expect(await t.debts.list(10)).toEqual([]);
  expect(await t.reserved()).toEqual([]);
});

test('a debt that one cannot pay keeps nobody from paying the others', async () => {
  await using t = await setUp();
  for (const vmid of [5001, 5002]) {
    await t.host.clone(vmid);
    await t.owe(vmid);
  }
  t.host.proxmox.setLock(5001, 'backup');

  await t.collect();

  expect(await t.debts.list(10)).toMatchObject([{ vmid: 5001 }]);
  expect(await t.reserved()).toEqual([5001]);
});

test('a number that somebody else has taken meanwhile owes nothing', async () => {
  await using t = await setUp();
  await t.host.foreign(5001);
  await t.owe(5001);

  await t.collect();

  expect(await t.debts.list(10)).toEqual([]);
  expect(t.host.snapshot(5001)).toMatchObject({ description: 'do not touch' });
});

test('a debt collected by two nodes at the same time, and again, is paid once', async () => {
  await using t = await setUp();
  await t.host.running(5001);
  await t.owe(5001);

  await Promise.all([t.collect(), t.collectElsewhere()]);
  await t.collect();

  expect(t.host.snapshot(5001)).toBeUndefined();
  expect(await t.debts.list(10)).toEqual([]);
  expect((await t.host.tasks('vzdestroy')).filter((end) => end === 'OK')).toHaveLength(1);
});

test('a bug of ours is noted without its words', async () => {
  await using t = await setUp();
  await t.owe(5001);

  await t.collectorOf(() => Promise.reject(new TypeError('token=s3cret')))();

  const [debt] = await t.debts.list(10);
  expect(debt).toMatchObject({ code: 'internal_error', attempts: 1 });
  expect(debt?.message).not.toContain('s3cret');
});

test('a shutdown ends the collection at once, and is no failure of the debt', async () => {
  await using t = await setUp();
  for (const vmid of [5001, 5002]) await t.owe(vmid);
  const shutdown = new AbortController();
  const begun: number[] = [];
  const collection = t.collectorOf(
    ({ vmid }, { signal }) =>
      new Promise((_, reject) => {
        begun.push(vmid);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      }),
  )(shutdown.signal);
  await until(() => begun.length === 1, { what: 'the first debt' });

  shutdown.abort(new Error('this node shuts down'));
  await collection;

  expect(begun).toHaveLength(1);
  expect(await t.debts.list(10)).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
});
