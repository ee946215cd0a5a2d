import { UnrecoverableError } from 'bullmq';
import { describe, expect, test } from 'vitest';

import { NotFoundError, UpstreamError } from '../../src/errors.ts';
import type { Performers } from '../../src/queues/effects/performer.ts';
import { createEffectProcessor } from '../../src/queues/workers/perform-effects.ts';
import {
  addressOf,
  cloned,
  createPerformance,
  logger,
  performersOf,
  setUpClone,
} from './worker-world.ts';

const noAnswer = () => new UpstreamError('lost', { reason: 'no_answer', retryable: true });
const failing = (error: () => Error): Partial<Performers> => ({
  'container.clone': () => Promise.reject(error()),
});

describe('an effect', () => {
  test('is performed, its end is told, and what comes next is asked for', async () => {
    await using t = await setUpClone();
    const process = t.processorOf(t.node, { 'container.clone': async ({ opId }) => cloned(opId) });

    await process(t.key);

    expect(await t.eventsOf(t.key)).toMatchObject([{ of: 'end', type: 'container.cloned' }]);
    expect((await t.effects()).map(({ kind }) => kind)).toEqual(['container.configure']);
  });

  test('tells the task that performs it once, and a successor is given it', async () => {
    await using t = await setUpClone();
    const upids: (string | null)[] = [];
    const process = t.processorOf(t.node, {
      'container.clone': async ({ opId }, { upid, progress }) => {
        upids.push(upid);
        await progress({ type: 'task.started', opId, upid: 'UPID:x' }, 'UPID:x');
        if (upids.length === 1) throw noAnswer();
        return cloned(opId);
      },
    });

    await expect(process(t.key)).rejects.toMatchObject({ reason: 'no_answer' });
    await process(t.key, { attemptsMade: 1 });

    expect(upids).toEqual([null, 'UPID:x']);
    expect((await t.eventsOf(t.key)).map(({ of }) => of)).toEqual(['UPID:x', 'end']);
  });

  test('of a kind that this release does not know is left to one that does', async () => {
    await using t = await setUpClone();
    const { outbox, actors, store } = t.node;
    const performers = {} as Performers;
    const older = { outbox, actors, settle: store.settle, performers, leaseMs: 60_000, logger };
    const job = { data: { key: t.key }, attemptsMade: 0, opts: { attempts: 5 } };

    await createEffectProcessor(older)(job, new AbortController().signal);
    const left = await t.effects();
    await t.processorOf(t.node, { 'container.clone': async ({ opId }) => cloned(opId) })(t.key);

    expect(left).toMatchObject([{ key: t.key, lease_token: null }]);
    expect(await t.eventsOf(t.key)).toMatchObject([{ of: 'end', type: 'container.cloned' }]);
  });

  test('that nobody waits for any more is dropped unperformed', async () => {
    await using t = await setUpClone();
    const gone = { type: 'effect.failed', opId: '1', code: 'x', message: 'x', retryable: false };
    await t.node.actors.tell(addressOf(5001), gone);

    await t.processorOf(t.node, {})(t.key);

    expect(await t.effects()).toEqual([]);
    expect(await t.eventsOf(t.key)).toEqual([]);
  });

  test('of an instance that is gone is dropped unperformed', async () => {
    await using t = await setUpClone();
    await t.rows('DELETE FROM container_instance');

    await t.processorOf(t.node, {})(t.key);

    expect(await t.effects()).toEqual([]);
  });

  test('that has ended is not performed again', async () => {
    await using t = await setUpClone();
    let performances = 0;
    const process = t.processorOf(t.node, {
      'container.clone': async ({ opId }) => {
        performances += 1;
        return cloned(opId);
      },
    });

    await process(t.key);
    await process(t.key);

    expect(performances).toBe(1);
  });

  test('that somebody else performs is left to them', async () => {
    await using t = await setUpClone();
    const { performers, finish, hasBegun } = createPerformance();
    const first = t.processorOf(t.node, performers)(t.key);
    await hasBegun();

    await t.processorOf(t.createNode(), {})(t.key);
    finish();
    await first;

    expect(await t.eventsOf(t.key)).toHaveLength(1);
  });

  test('performed by two at the same time has one end', async () => {
    await using t = await setUpClone();
    const { performers, finish, hasBegun } = createPerformance();
    const first = t.processorOf(t.node, performers)(t.key);
    await hasBegun();
    await t.rows(`UPDATE effect SET leased_until = now() - interval '1 s'`);
    const second = t.processorOf(t.createNode(), performers)(t.key);
    await hasBegun(2);

    finish();
    await Promise.all([first, second]);

    expect(await t.eventsOf(t.key)).toMatchObject([{ of: 'end', type: 'container.cloned' }]);
    expect((await t.effects()).map(({ kind }) => kind)).toEqual(['container.configure']);
  });

  test('whose instance went into the archive meanwhile has nobody to tell', async () => {
    await using t = await setUpClone();
    const { performers, finish, hasBegun, begun } = createPerformance();
    const performance = t.processorOf(t.node, performers)(t.key);
    await hasBegun();
    await t.rows('DELETE FROM container_instance; DELETE FROM effect');

    await begun[0]?.progress({ type: 'task.started', opId: '1', upid: 'UPID:x' }, 'UPID:x');
    finish();

    await expect(performance).resolves.toBeUndefined();
    await expect(t.node.actors.read(addressOf(5001))).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('a failure', () => {
  test('to get through is left to the queue, which may claim the effect again at once', async () => {
    await using t = await setUpClone();
    const process = t.processorOf(t.node, failing(noAnswer));

    await expect(process(t.key)).rejects.toMatchObject({ reason: 'no_answer' });

    expect(await t.effects()).toEqual([{ key: t.key, kind: 'container.clone', lease_token: null }]);
    expect(await t.eventsOf(t.key)).toEqual([]);
  });

  test('to get through at the last attempt is told', async () => {
    await using t = await setUpClone();
    const process = t.processorOf(t.node, failing(noAnswer));

    await process(t.key, { attemptsMade: 4 });

    expect(await t.eventsOf(t.key)).toMatchObject([
      { of: 'end', type: 'effect.failed', opId: '1', code: 'no_answer', retryable: true },
    ]);
    expect(await t.effects()).toEqual([]);
  });

  test.each([true, false])(
    'that is the world’s answer is told at once (retryable: %s)',
    async (retryable) => {
      await using t = await setUpClone();
      const refusal = () => new UpstreamError('no', { reason: 'container_locked', retryable });

      await t.processorOf(t.node, failing(refusal))(t.key);

      expect(await t.eventsOf(t.key)).toMatchObject([
        { type: 'effect.failed', code: 'container_locked', message: 'no', retryable },
      ]);
      const { failure } = await t.contextOf(t.node.actors);
      expect(failure?.code).toBe(retryable ? undefined : 'container_locked');
    },
  );

  test('that is our own bug is tried again, and told at the end without its words', async () => {
    await using t = await setUpClone();
    const bug = () => new TypeError('token=s3cret is not a function');
    const process = t.processorOf(t.node, failing(bug));

    await expect(process(t.key)).rejects.toBeInstanceOf(TypeError);
    await process(t.key, { attemptsMade: 4 });

    const [told] = await t.eventsOf(t.key);
    expect(told).toMatchObject({ code: 'internal_error', retryable: false });
    expect(JSON.stringify(await t.rows('SELECT event, state FROM journal'))).not.toContain(
      's3cret',
    );
  });

  test('to read the job ends it for good', async () => {
    await using t = await setUpClone();
    const { outbox, actors, store } = t.node;
    const performers = performersOf({});
    const { settle } = store;
    const rest = { outbox, actors, settle, performers, leaseMs: 60_000, logger };
    const process = createEffectProcessor(rest);

    const unreadable = process(
      { data: { kee: 1 }, attemptsMade: 0, opts: {} },
      new AbortController().signal,
    );

    await expect(unreadable).rejects.toBeInstanceOf(UnrecoverableError);
  });
});
