import { describe, expect, test } from 'vitest';

import type { StoredSnapshot } from '../../src/actors/store.ts';
import { createActorSystem } from '../../src/actors/system.ts';
import { NotFoundError } from '../../src/errors.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createTestDatabase } from '../support/database.ts';
import { createToys, toyAt, toyDefinition } from '../support/toy.ts';

async function setUp({ toys = 1 }: { toys?: number } = {}) {
  const database = await createTestDatabase();
  const vmids = Array.from({ length: toys }, (_, i) => 100 + i);
  await createToys(database, vmids);
  let nodes = 0;
  const createNode = (definition = toyDefinition) =>
    createActorSystem({
      store: createActorStore(database.pool),
      definitions: { toy: definition },
      now: () => 42,
      nodeId: `node-${++nodes}`,
    });
  const rows = async (text: string) => (await database.pool.query(text)).rows;
  return {
    database,
    createNode,
    rows,
    journal: () => rows('SELECT * FROM journal ORDER BY seq'),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

const toy = toyAt(100);

describe('a step', () => {
  test('writes snapshot, journal entry, effect and timer together', async () => {
    await using t = await setUp();
    const node = t.createNode();

    const asked = await node.ask(toy, { type: 'work.requested' });

    expect(asked).toMatchObject({ outcome: 'accepted', version: 2 });
    expect(await t.rows('SELECT key, kind FROM effect')).toEqual([
      { key: '100-toy/2/0', kind: 'toy.work' },
    ]);
    expect(await t.rows('SELECT timer_id, generation FROM timer')).toEqual([
      { timer_id: 'xstate.after.workDeadline.toy.working', generation: 2 },
    ]);
    expect(await t.journal()).toMatchObject([
      { seq: '1', version: 1, event: { type: 'toy.created' } },
      { seq: '2', version: 2, event: { type: 'work.requested', at: 42 }, state: 'working' },
    ]);
  });

  test('that changes nothing writes nothing, and a wish is refused with what is allowed', async () => {
    await using t = await setUp();
    const node = t.createNode();

    await node.tell(toy, { type: 'work.done' });
    await node.ask(toy, { type: 'work.requested' });
    const asked = await node.ask(toy, { type: 'work.requested' });

    expect(asked).toMatchObject({ outcome: 'refused', allowedActions: ['end.requested'] });
    expect(await t.journal()).toHaveLength(2);
  });

  test('leaving a state disarms its deadline and settles the effect it completes', async () => {
    await using t = await setUp();
    const node = t.createNode();
    await node.ask(toy, { type: 'work.requested' });

    await node.tell(toy, { type: 'work.done' }, { completes: '100-toy/2/0' });

    expect(await t.rows('SELECT * FROM effect')).toEqual([]);
    expect(await t.rows('SELECT * FROM timer')).toEqual([]);
  });

  test('of an archived actor leaves the archive and the journal, and nothing else', async () => {
    await using t = await setUp();
    const node = t.createNode();
    await t.rows(`INSERT INTO vmid_reservation (vmid, instance_id) VALUES (100, '100-toy')`);
    await node.ask(toy, { type: 'work.requested' });

    await node.ask(toy, { type: 'end.requested' });

    for (const table of ['container_instance', 'effect', 'timer', 'vmid_reservation']) {
      expect(await t.rows(`SELECT * FROM ${table}`), table).toEqual([]);
    }
    expect(await t.rows('SELECT id, vmid FROM deleted_instance')).toEqual([
      { id: '100-toy', vmid: 100 },
    ]);
    expect((await t.journal()).map(({ version }) => version)).toEqual([1, 2, 3]);
    await expect(node.tell(toy, { type: 'work.done' })).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('two nodes', () => {
  test('that step the same actors at once lose no event and number the journal densely', async () => {
    await using t = await setUp({ toys: 10 });
    const nodes = [t.createNode(), t.createNode()];

    await Promise.all(
      Array.from({ length: 400 }, (_, i) =>
        nodes[i % 2]?.ask(toyAt(100 + (i % 10)), { type: 'count.added' }),
      ),
    );

    const counts = await t.rows(`SELECT (snapshot->'context'->>'count')::int AS count, version
      FROM container_instance`);
    expect(counts).toEqual(Array(10).fill({ count: 40, version: 41 }));
    const seqs = (await t.journal()).map(({ seq }) => Number(seq));
    expect(seqs).toEqual(Array.from({ length: 410 }, (_, i) => i + 1));
  });

  test('a node whose memory is old neither refuses a wish nor drops a fact', async () => {
    await using t = await setUp();
    const [one, two] = [t.createNode(), t.createNode()];
    await one.read(toy);
    await two.ask(toy, { type: 'work.requested' });

    await one.tell(toy, { type: 'work.done' });
    await two.tell(toy, { type: 'count.added' });
    const asked = await two.ask(toy, { type: 'work.requested' });

    expect(asked).toMatchObject({ outcome: 'accepted', version: 5 });
  });

  test('an event told twice, to different nodes, happens once', async () => {
    await using t = await setUp();
    const [one, two] = [t.createNode(), t.createNode()];

    await one.tell(toy, { type: 'count.added' }, { eventId: 'e-1' });
    await Promise.all([
      one.tell(toy, { type: 'count.added' }, { eventId: 'e-1' }),
      two.tell(toy, { type: 'count.added' }, { eventId: 'e-1' }),
    ]);

    expect((await one.read(toy)).snapshot.context).toMatchObject({ count: 1 });
  });
});

describe('a timer', () => {
  const fires = { timerId: 'xstate.after.workDeadline.toy.working', generation: 2 };
  const deadline = { type: fires.timerId };

  test('of an earlier visit of the state does not fire in a later one', async () => {
    await using t = await setUp();
    const node = t.createNode();
    await node.ask(toy, { type: 'work.requested' });
    await node.tell(toy, { type: 'work.done' });
    await node.ask(toy, { type: 'work.requested' });

    await node.tell(toy, deadline, { fires });

    expect((await node.read(toy)).snapshot.value).toBe('working');
    expect(await t.rows('SELECT generation FROM timer')).toEqual([{ generation: 4 }]);
  });

  test('that is due fires once, however often it is delivered', async () => {
    await using t = await setUp();
    const [one, two] = [t.createNode(), t.createNode()];
    await one.ask(toy, { type: 'work.requested' });

    await Promise.all([one, two, one].map((node) => node.tell(toy, deadline, { fires })));

    expect((await one.read(toy)).snapshot.value).toBe('late');
    expect(await t.journal()).toHaveLength(3);
    expect(await t.rows('SELECT * FROM timer')).toEqual([]);
  });
});

describe('a machine version', () => {
  test('with a way up is migrated at the next step; one without is refused', async () => {
    await using t = await setUp();
    await t.createNode().ask(toy, { type: 'count.added' });
    const { migrations: _, ...rest } = toyDefinition;
    const upgraded = t.createNode({
      ...rest,
      machineVersion: 2,
      migrations: {
        1: (snapshot) => ({ ...snapshot, context: { ...(snapshot.context as object), count: 10 } }),
      },
    });
    const stranded = t.createNode({ ...rest, machineVersion: 3, migrations: {} });

    await expect(stranded.ask(toy, { type: 'count.added' })).rejects.toThrow('no way up');
    await upgraded.ask(toy, { type: 'count.added' });

    const [row] = await t.rows('SELECT machine_version, snapshot FROM container_instance');
    expect(row).toMatchObject({ machine_version: 2, snapshot: { context: { count: 11 } } });
  });

  test('whose way up changes what the next step does not is written whole by that step', async () => {
    await using t = await setUp();
    const upgrade = (snapshot: StoredSnapshot) => ({
      ...snapshot,
      context: { ...(snapshot.context as object), payload: { by: 'the way up' } },
    });
    const definition = { ...toyDefinition, machineVersion: 2, migrations: { 1: upgrade } };
    const node = t.createNode(definition);
    // Read first: the step then proposes what this node remembers, which no row has ever had.
    await node.read(toy);
    const unchanged: boolean[] = [];
    node.onCommitted(({ step }) => void unchanged.push(step.unchanged.includes('payload')));

    await node.ask(toy, { type: 'count.added' });
    const { snapshot } = await t.createNode(definition).read(toy);
    await node.ask(toy, { type: 'count.added' });

    expect(snapshot.context).toMatchObject({ count: 1, payload: { by: 'the way up' } });
    expect(unchanged).toEqual([false, true]);
  });
});

test('a step says which members of the context it has left as they were', async () => {
  await using t = await setUp();
  const node = t.createNode();
  const unchanged: (readonly string[])[] = [];
  node.onCommitted(({ step }) => void unchanged.push(step.unchanged));

  await node.ask(toy, { type: 'count.added' });
  await t.createNode().ask(toy, { type: 'count.added' });
  // This one is decided twice: the memory of this node is one step old.
  await node.ask(toy, { type: 'work.requested' });

  const all = Object.keys((await node.read(toy)).snapshot.context).sort();
  expect(unchanged[0]?.toSorted()).toEqual(all.filter((name) => name !== 'count'));
  expect(unchanged[1]?.toSorted()).toEqual(all);
  expect((await t.createNode().read(toy)).snapshot.context).toMatchObject({ count: 2 });
});

test('a handle follows its actor as an ActorRef does', async () => {
  await using t = await setUp();
  const node = t.createNode();
  const handle = await node.get(toy);
  const seen: unknown[] = [];
  const { promise: isDone, resolve } = Promise.withResolvers<void>();
  handle.subscribe({ next: ({ value }) => void seen.push(value), complete: resolve });

  handle.send({ type: 'work.requested' });
  handle.send({ type: 'end.requested' });
  await isDone;

  expect(seen).toEqual(['working', 'ended']);
  expect(handle.getSnapshot().value).toBe('ended');
});
