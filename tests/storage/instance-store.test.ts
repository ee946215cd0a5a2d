import { describe, expect, test } from 'vitest';

import { planBirth } from '../../src/actors/birth.ts';
import type { Step } from '../../src/actors/store.ts';
import { definitions } from '../../src/machines/index.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import { createTestDatabase } from '../support/database.ts';
import { sampleInput } from '../support/instance-model.ts';

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const second = opened.use(
    openDatabase({ url: database.url, connectionsMax: 4, onError: () => {} }),
  );
  const closing = opened.move();
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  const countOf = async (table: string) =>
    (await rows(`SELECT count(*)::int AS count FROM ${table}`))[0].count as number;
  return {
    one: createInstanceStore(database.pool),
    two: createInstanceStore(second.pool),
    rows,
    async counts() {
      const tables = ['container_instance', 'journal', 'effect', 'timer', 'idempotency_key'];
      return Object.fromEntries(
        await Promise.all(tables.map(async (table) => [table, await countOf(table)] as const)),
      );
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

function creationOf(vmid: number, key?: string): { vmid: number; step: Step } {
  const id = `${vmid}-a`;
  const input = sampleInput({ id, vmid });
  const answer = { fingerprint: 'f', status: 202, response: { vmid, id } };
  return {
    vmid,
    step: {
      ...planBirth(definitions.instance, {
        kind: 'instance',
        id,
        input,
        eventId: 'created',
        at: 1,
      }),
      ...(key !== undefined && { answer: { userId: 'u-1', key, ...answer } }),
    },
  };
}

describe('a creation', () => {
  test('writes the instance, its first effect, its deadline and the answer together', async () => {
    await using t = await setUp();

    const outcome = await t.one.create(creationOf(5001, 'k-1'));

    expect(outcome).toBe('created');
    expect(await t.rows('SELECT id, vmid, version FROM container_instance')).toEqual([
      { id: '5001-a', vmid: 5001, version: 1 },
    ]);
    expect(await t.rows('SELECT kind, params FROM effect')).toMatchObject([
      { kind: 'container.clone', params: { vmid: 5001, id: '5001-a', opId: '1' } },
    ]);
    expect(await t.rows('SELECT generation, due_at > now() AS is_ahead FROM timer')).toEqual([
      { generation: 1, is_ahead: true },
    ]);
    expect(await t.one.findAnswer({ userId: 'u-1', key: 'k-1' })).toEqual({
      fingerprint: 'f',
      status: 202,
      response: { vmid: 5001, id: '5001-a' },
    });
  });

  test('that fails writes nothing of it, so that its key can be used again', async () => {
    await using t = await setUp();
    await t.one.create(creationOf(5001));
    const before = await t.counts();

    const failing = t.one.create(creationOf(5001, 'k-1'));

    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect(await t.counts()).toEqual(before);
    expect(await t.one.findAnswer({ userId: 'u-1', key: 'k-1' })).toBeNull();
    expect(await t.one.create(creationOf(5002, 'k-1'))).toBe('created');
    expect(await t.rows('SELECT seq FROM journal ORDER BY seq')).toEqual([
      { seq: '1' },
      { seq: '2' },
    ]);
  });

  test.each([1, 2, 3])(
    'with one key, asked of two nodes at the same time, happens once (%i)',
    async () => {
      await using t = await setUp();

      const outcomes = await Promise.all([
        t.one.create(creationOf(5001, 'k-1')),
        t.two.create(creationOf(5002, 'k-1')),
      ]);

      expect(outcomes.sort()).toEqual(['created', 'repeated']);
      expect(await t.counts()).toEqual({
        container_instance: 1,
        journal: 1,
        effect: 1,
        timer: 1,
        idempotency_key: 1,
      });
      const [instance] = await t.rows('SELECT vmid FROM container_instance');
      const answer = await t.two.findAnswer({ userId: 'u-1', key: 'k-1' });
      expect(answer?.response).toMatchObject({ vmid: instance.vmid });
    },
  );

  test('of two customers with the same key is two creations', async () => {
    await using t = await setUp();
    const { vmid, step } = creationOf(5002, 'k-1');

    await t.one.create(creationOf(5001, 'k-1'));
    const outcome = await t.one.create({
      vmid,
      step: { ...step, ...(step.answer && { answer: { ...step.answer, userId: 'u-2' } }) },
    });

    expect(outcome).toBe('created');
  });
});

test('creations of two nodes at once number the journal densely', async () => {
  await using t = await setUp();
  const keyOf = (i: number) => `k-${Math.floor(i / 4)}`;

  const outcomes = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      (i % 2 ? t.one : t.two).create(creationOf(5000 + i, keyOf(i))),
    ),
  );

  expect(outcomes.filter((outcome) => outcome === 'created')).toHaveLength(10);
  const seqs = (await t.rows('SELECT seq::int FROM journal ORDER BY seq')).map(({ seq }) => seq);
  expect(seqs).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
  expect(await t.rows('SELECT last_seq FROM journal_head')).toEqual([{ last_seq: '10' }]);
});

test('an answer is replayed for a while, and then forgotten', async () => {
  await using t = await setUp();
  await t.one.create(creationOf(5001, 'old'));
  await t.one.create(creationOf(5002, 'young'));
  await t.rows(`UPDATE idempotency_key SET created_at = now() - interval '3 h' WHERE key = 'old'`);

  await t.two.forgetAnswers(2 * 3_600_000);

  expect(await t.one.findAnswer({ userId: 'u-1', key: 'old' })).toBeNull();
  expect(await t.one.findAnswer({ userId: 'u-1', key: 'young' })).toMatchObject({ status: 202 });
});

test('of answers that are kept under one key at the same time the first stays', async () => {
  await using t = await setUp();
  const answerOf = (response: string) => ({
    userId: 'u-1',
    key: 'k',
    fingerprint: 'f',
    status: 200,
    response,
  });

  const kept = await Promise.all([
    t.one.keepAnswer(answerOf('one')),
    t.two.keepAnswer(answerOf('two')),
  ]);
  const later = await t.one.keepAnswer(answerOf('later'));

  const first = kept[0] ? 'one' : 'two';
  expect([...kept].sort()).toEqual([false, true]);
  expect(later).toBe(false);
  expect(await t.two.findAnswer({ userId: 'u-1', key: 'k' })).toMatchObject({ response: first });
});

describe('an allowance', () => {
  const LIMITS = { slots: 2, memoryMiB: 5_000 };
  const within = (vmid: number, wantedMiB = 2_048) => ({
    ...creationOf(vmid),
    allowance: { userId: 'c-1', plan: 'small', limits: LIMITS, wantedMiB },
  });
  const addUser = (rows: (text: string) => Promise<unknown>) =>
    rows(`INSERT INTO "user" (id, email, username, password_hash)
      VALUES ('c-1', 'c@example.test', 'c', 'h')`);

  test('is kept by ten that are created at the same moment on two nodes', async () => {
    await using world = await setUp();
    await addUser(world.rows);

    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 ? world.one : world.two).create(within(5001 + index)),
      ),
    );

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      expect(outcome.reason).toMatchObject({ code: 'plan_limit_reached' });
    }
    expect((await world.counts())['container_instance']).toBe(2);
  });

  test('that is exceeded says by how much, and nothing is written', async () => {
    await using world = await setUp();
    await addUser(world.rows);
    await world.one.create(within(5001));

    const refused = world.one.create(within(5002, 4_096));

    await expect(refused).rejects.toMatchObject({
      code: 'plan_limit_reached',
      details: {
        plan: 'small',
        limits: LIMITS,
        used: { slots: 1, memoryMiB: 2_048 },
        wanted: { slots: 1, memoryMiB: 4_096 },
      },
    });
    expect((await world.counts())['journal']).toBe(1);
  });
});
