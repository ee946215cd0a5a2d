import { describe, expect, test } from 'vitest';

import { createActorSystem } from '../../src/actors/system.ts';
import { definitions, subscriptionOf } from '../../src/machines/index.ts';
import type { SubscriptionContext } from '../../src/machines/subscription/types.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createSubscriptions } from '../../src/storage/subscriptions.ts';
import { createTimers } from '../../src/storage/timers.ts';
import { createTestDatabase } from '../support/database.ts';
import { observed, sampleSubscription } from '../support/subscription-model.ts';

const POLICY = { graceMs: 3_000, reminders: 3, keepMs: 10_000 };

async function setUp() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const subscriptions = createSubscriptions(database.pool);
  const createNode = (nodeId: string) =>
    createActorSystem({
      ...{ store: createActorStore(database.pool), definitions, now: Date.now, nodeId },
    });
  const actors = createNode('a');
  const closing = opened.move();
  return {
    actors,
    other: createNode('b'),
    subscriptions,
    pool: database.pool,
    rows: async (text: string) => (await database.pool.query(text)).rows,
    enroll: (userId: string) => {
      const address = subscriptionOf(userId);
      const input = sampleSubscription({ id: address.id, userId, policy: POLICY });
      return actors.create(address, input, (step) => subscriptions.create(userId, step));
    },
    async see(userId: string, status: string) {
      const address = subscriptionOf(userId);
      await actors.tell(address, { type: 'stripe.changed', why: 'test' });
      const { snapshot } = await actors.read(address);
      const opId = (snapshot.context as SubscriptionContext).ops.sync?.id;
      const event = { type: 'subscription.observed', opId, observed: observed(status) };
      await actors.tell(address, event, { completes: `${address.id}/2/0` });
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

describe('a subscription', () => {
  test('is created once, however often its user is enrolled', async () => {
    await using world = await setUp();

    const outcomes = await Promise.all([world.enroll('u-1'), world.enroll('u-1')]);

    expect(outcomes.sort()).toEqual(['created', 'repeated']);
    expect(await world.enroll('u-1')).toBe('repeated');
    expect(await world.rows('SELECT version, status FROM subscription')).toEqual([
      { version: 1, status: 'none' },
    ]);
    expect(await world.rows('SELECT event_id FROM subscription_journal')).toHaveLength(1);
  });

  test('is written with journal, effects and timers, and its columns follow its state', async () => {
    await using world = await setUp();
    await world.enroll('u-1');

    await world.see('u-1', 'past_due');

    const found = await world.subscriptions.find('u-1');
    expect(found).toMatchObject({ userId: 'u-1', version: 3, status: 'past_due' });
    expect(await world.rows('SELECT plan_id, stripe_subscription_id FROM subscription')).toEqual([
      { plan_id: 'small', stripe_subscription_id: 'sub_1' },
    ]);
    // The reading has ended; the first reminder has not.
    expect(await world.rows('SELECT kind FROM effect')).toEqual([{ kind: 'billing.mail' }]);
    const timers = await world.rows('SELECT timer_id FROM timer ORDER BY timer_id');
    expect(timers.map(({ timer_id: id }) => id.split('.')[2])).toEqual([
      'graceDeadline',
      'reminderPause',
    ]);
    expect(await world.rows('SELECT seq FROM journal')).toEqual([]);
  });

  test('of two nodes that step it at once none is lost, and an event that is known is not repeated', async () => {
    await using world = await setUp();
    await world.enroll('u-1');
    const address = subscriptionOf('u-1');
    const news = { type: 'stripe.changed', why: 'test' };

    await Promise.all(
      [world.actors, world.other].map((node) => node.tell(address, news, { eventId: 'evt_1' })),
    );
    await world.actors.tell(address, news, { eventId: 'evt_2' });

    expect(await world.rows('SELECT version FROM subscription')).toEqual([{ version: 3 }]);
    const journal = await world.rows('SELECT version, event_id FROM subscription_journal');
    expect(journal.map(({ version }) => version)).toEqual([1, 2, 3]);
    expect(journal.map(({ event_id: id }) => id)).toEqual(['created', 'evt_1', 'evt_2']);
    expect(await world.rows('SELECT key FROM effect')).toHaveLength(1);
  });

  test('waits for its timers by the same clock as instances do', async () => {
    await using world = await setUp();
    await world.enroll('u-1');
    await world.see('u-1', 'past_due');
    await world.rows(`UPDATE timer SET due_at = now() - interval '1 second'
      WHERE timer_id LIKE '%graceDeadline%'`);

    const due = await createTimers(world.pool).listDue({ limit: 10 });
    const [timer] = due;
    if (!timer) throw new Error('no timer is due');
    const fires = { timerId: timer.timerId, generation: timer.generation };
    await world.actors.tell(subscriptionOf('u-1'), timer.event, { fires });

    expect(due).toHaveLength(1);
    expect((await world.subscriptions.find('u-1'))?.status).toBe('suspended');
  });
});
