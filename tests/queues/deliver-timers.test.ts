import { UnrecoverableError } from 'bullmq';
import { describe, expect, test } from 'vitest';

import { NotFoundError } from '../../src/errors.ts';
import { createTimerProcessor } from '../../src/queues/workers/deliver-timers.ts';
import { createTimers, type DueTimer } from '../../src/storage/timers.ts';
import { addressOf, idOf, setUpInstances, type TestNode } from './worker-world.ts';

const processorOf = ({ pool, actors }: TestNode) =>
  createTimerProcessor({ timers: createTimers(pool), actors });

async function setUp() {
  const t = await setUpInstances();
  const node = t.createNode();
  await t.create(node.actors);
  return {
    ...t,
    node,
    timers: processorOf(node),
    job: (vmid = 5001) => ({ data: { instanceId: idOf(vmid) } }),
    becomeDue: (vmid = 5001) =>
      t.rows(`UPDATE timer SET due_at = now() - interval '1 s'
        WHERE instance_id = '${idOf(vmid)}'`),
    stateOf: async (vmid = 5001) =>
      (await node.actors.read(addressOf(vmid))).snapshot.value as Record<string, unknown>,
    armed: () => t.rows('SELECT instance_id, timer_id, generation FROM timer'),
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

const missed = 'xstate.after.cloneDeadline.instance.provisioning.cloning';

describe('a timer', () => {
  test('that is due is delivered and spent', async () => {
    await using t = await setUp();
    await t.becomeDue();

    await t.timers.process(t.job());

    expect(await t.stateOf()).toMatchObject({ provisioning: 'failed' });
    expect(await t.contextOf(t.node.actors)).toMatchObject({
      failure: { step: 'clone', code: 'deadline_exceeded' },
    });
    expect(await t.armed()).toEqual([]);
  });

  test('that is not due by the database’s clock stays armed, whoever thinks otherwise', async () => {
    await using t = await setUp();

    await t.timers.process(t.job());
    await t.timers.deliverDue();

    expect(await t.armed()).toEqual([{ instance_id: idOf(5001), timer_id: missed, generation: 1 }]);
    expect(await t.stateOf()).toMatchObject({ provisioning: { cloning: 'performing' } });
  });

  test('delivered by two nodes at the same time happens once', async () => {
    await using t = await setUp();
    await t.becomeDue();
    const other = processorOf(t.createNode());

    await Promise.all([t.timers.deliverDue(), other.deliverDue(), t.timers.process(t.job())]);

    const events = await t.rows(`SELECT event_id FROM journal WHERE event_id LIKE 'timer/%'`);
    expect(events).toEqual([{ event_id: `timer/${missed}/1` }]);
  });

  test('that was armed anew after it had been read is not delivered early', async () => {
    await using t = await setUp();
    const event = { type: missed };
    const read: DueTimer = { instanceId: idOf(5001), timerId: missed, generation: 0, event };
    const timers = { listDue: async () => [read] };

    await createTimerProcessor({ timers, actors: t.node.actors }).deliverDue();

    expect(await t.stateOf()).toMatchObject({ provisioning: { cloning: 'performing' } });
    expect(await t.armed()).toMatchObject([{ generation: 1 }]);
  });

  test('whose instance has gone is nobody’s', async () => {
    await using t = await setUp();
    await t.becomeDue();
    await t.rows('DELETE FROM container_instance');

    await expect(t.timers.deliverDue()).resolves.toBeUndefined();

    await expect(t.node.actors.read(addressOf(5001))).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('a delivery', () => {
  test('for one instance leaves the timers of others to theirs', async () => {
    await using t = await setUp();
    await t.create(t.node.actors, 5002);
    for (const vmid of [5001, 5002]) await t.becomeDue(vmid);

    await t.timers.process(t.job(5002));

    expect(await t.armed()).toMatchObject([{ instance_id: idOf(5001) }]);
  });

  test('reaches the others although one instance cannot be stepped, and says so', async () => {
    await using t = await setUp();
    await t.create(t.node.actors, 5002);
    await t.rows(`UPDATE container_instance SET machine_version = 0 WHERE vmid = 5001`);
    for (const vmid of [5001, 5002]) await t.becomeDue(vmid);
    const other = processorOf(t.createNode());

    await expect(other.deliverDue()).rejects.toThrow('no way up');

    expect(await t.stateOf(5002)).toMatchObject({ provisioning: 'failed' });
    expect(await t.armed()).toMatchObject([{ instance_id: idOf(5001) }]);
  });

  test('of a job that cannot be read ends for good', async () => {
    await using t = await setUp();

    const delivery = t.timers.process({ data: { id: 5001 } });

    await expect(delivery).rejects.toBeInstanceOf(UnrecoverableError);
  });
});
