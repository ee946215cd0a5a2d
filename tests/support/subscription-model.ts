import { type AnyStateMachine, getNextTransitions, type SnapshotFrom } from 'xstate';

import type { subscriptionMachine } from '../../src/machines/subscription/machine.ts';
import type { Observed, SubscriptionInput } from '../../src/machines/subscription/types.ts';
import type { Model } from './model.ts';

export type SubscriptionSnapshot = SnapshotFrom<typeof subscriptionMachine>;

export const sampleSubscription = (
  overrides: Partial<SubscriptionInput> = {},
): SubscriptionInput => ({
  id: 'sub-u-1',
  userId: 'u-1',
  customerId: 'cus_1',
  policy: { graceMs: 3_000, reminders: 3, keepMs: 10_000 },
  at: 1,
  ...overrides,
});

export const observed = (status: string, more: Partial<Observed> = {}): Observed => ({
  subscriptionId: 'sub_1',
  status,
  planId: 'small',
  periodEnd: 1_000,
  trialEnd: null,
  pending: null,
  ...more,
});

const STATUSES = [
  ...['incomplete', 'trialing', 'active', 'past_due'],
  ...['unpaid', 'canceled', 'a word that is new'],
];

/** What can happen: wishes, news, answers to the calls in flight, stale ones, and time. */
export function subscriptionEvents(snapshot: SubscriptionSnapshot) {
  const { ops } = snapshot.context;
  const wish = { operationId: 'op-1', requestedBy: 'u-1', at: 2 };
  const failed = { type: 'effect.failed', code: 'x', message: 'x', at: 2 };
  const answers = [ops.sync?.id, 'stale'].flatMap((opId) =>
    [
      ...STATUSES.map((status) => observed(status)),
      observed('active', { pending: { planId: null, at: 9 } }),
      observed('past_due', { subscriptionId: 'sub_2' }),
      observed('canceled', { fitsDefault: true }),
      null,
    ].map((seen) => ({ type: 'subscription.observed', opId, observed: seen, at: 2 })),
  );
  const ends = [ops.sync?.id, ops.change?.id, 'stale'].flatMap((opId) => [
    { ...failed, opId, retryable: true },
    { ...failed, opId, retryable: false },
    { type: 'change.made', opId, at: 2 },
  ]);
  const timers = getNextTransitions(snapshot)
    .map(({ eventType }) => eventType)
    .filter((type) => type.startsWith('xstate.after.'))
    .map((type) => ({ type, at: 2 }));
  return [
    { type: 'stripe.changed', why: 'webhook', at: 2 },
    { type: 'owner.exempted', at: 2 },
    { type: 'owner.charged', at: 2 },
    { type: 'upgrade.requested', planId: 'large', priceId: 'price_large', ...wish },
    { type: 'downgrade.requested', planId: null, priceId: null, ...wish },
    { type: 'keep.requested', ...wish },
    { type: 'effect.done', opId: '', at: 2 },
    ...answers,
    ...ends,
    ...timers,
  ];
}

export function subscriptionModel(machine: AnyStateMachine): Model<SubscriptionSnapshot> {
  return {
    machine,
    input: sampleSubscription(),
    events: subscriptionEvents,
    key: ({ value, context }) => {
      const { ops, attempts, isStale, observed: seen, change } = context;
      return JSON.stringify([
        value,
        [ops.sync === null, ops.change === null, isStale],
        Number(ops.sync?.id ?? 0) > context.checkAfter,
        value.change === 'idle' ? 0 : Math.min(attempts.change, 5),
        [seen?.pending != null, change?.state ?? null, seen?.status === 'canceled'],
        [context.reminded, context.pastDueSince === null, context.suspendedAt === null],
      ]);
    },
  };
}
