import { and, not, or, setup, stateIn } from 'xstate';

import type {
  Observed,
  Standing,
  SubscriptionContext,
  SubscriptionEffect,
  SubscriptionEvent,
  SubscriptionInput,
} from './types.ts';

const MINUTE_MS = 60_000;
/** Then a change has failed, and what Stripe made of it is read. */
const CHANGE_ATTEMPTS_MAX = 5;

export const atOf = (event: { type: string }): number => (event as { at?: number }).at ?? 0;

export const opIdOf = (event: SubscriptionEvent) =>
  (event as Partial<Extract<SubscriptionEvent, { opId: string }>>).opId ?? null;

/** Stripe's words for what stands; those that only a payment can follow mean that nothing does yet. */
const STANDINGS: Readonly<Record<string, Standing>> = {
  trialing: 'trialing',
  active: 'active',
  past_due: 'past_due',
  unpaid: 'past_due',
  paused: 'past_due',
  canceled: 'canceled',
};

export const standingOf = (observed: Observed | null): Standing =>
  observed?.fitsDefault ? 'none' : (STANDINGS[observed?.status ?? ''] ?? 'none');

interface Scope {
  readonly context: SubscriptionContext;
  readonly event: SubscriptionEvent;
}

/** 1, 2, 4 … 256 s. */
const pauseMs = (attempts: number) => 1000 * 2 ** Math.min(Math.max(attempts - 1, 0), 8);
const remaining = (until: number, event: { type: string }) => Math.max(0, until - atOf(event));

/** The vocabulary of all regions: guards that look across them live here and nowhere else. */
export const subscriptionSetup = setup({
  types: {
    context: {} as SubscriptionContext,
    events: {} as SubscriptionEvent,
    input: {} as SubscriptionInput,
    tags: {} as 'transient',
  },
  actions: {
    /** Pure data. The runtime writes it to the outbox; a worker performs it after the commit. */
    effect: (_: unknown, _params: { readonly effect: SubscriptionEffect }): void => {},
  },
  guards: {
    isSyncOp: ({ context, event }) =>
      context.ops.sync !== null && context.ops.sync.id === opIdOf(event),
    isChangeOp: ({ context, event }) =>
      context.ops.change !== null && context.ops.change.id === opIdOf(event),
    isStale: ({ context }) => context.isStale,
    isObserved: ({ context, event }, { as }: { as: Standing }) =>
      event.type === 'subscription.observed' &&
      event.opId === context.ops.sync?.id &&
      standingOf(event.observed) === as,
    isNewlyEnded: ({ context, event }) =>
      event.type === 'subscription.observed' &&
      event.opId === context.ops.sync?.id &&
      standingOf(event.observed) === 'canceled' &&
      (context.observed?.status !== 'canceled' ||
        event.observed?.subscriptionId !== context.observed.subscriptionId),
    isFree: ({ context, event }) =>
      event.type === 'subscription.observed' &&
      event.opId === context.ops.sync?.id &&
      event.observed?.fitsDefault === true,
    isAnotherBehind: ({ context, event }) =>
      event.type === 'subscription.observed' &&
      event.opId === context.ops.sync?.id &&
      standingOf(event.observed) === 'past_due' &&
      event.observed?.subscriptionId !== context.observed?.subscriptionId,
    /** Stripe was asked after the time was up. */
    isChecked: ({ context, event }) =>
      event.type === 'subscription.observed' &&
      event.opId === context.ops.sync?.id &&
      Number(event.opId) > context.checkAfter,
    mayRepeatChange: ({ context, event }) =>
      event.type === 'effect.failed' &&
      event.retryable &&
      context.attempts.change < CHANGE_ATTEMPTS_MAX &&
      event.opId === context.ops.change?.id,
    /** While nobody has to pay, nothing is deleted for want of it. */
    mayExpire: ({ context }) => !context.isExempt,
    isEnded: ({ context }) => context.observed?.status === 'canceled',
    isPaidFor: or([stateIn({ standing: 'active' }), stateIn({ standing: 'trialing' })]),
    isAnotherPlan: ({ context, event }) =>
      (event.type === 'upgrade.requested' || event.type === 'downgrade.requested') &&
      event.planId !== context.observed?.planId,
    hasPending: ({ context }) => context.observed?.pending != null,
    mayChange: and(['isPaidFor', not('hasPending'), 'isAnotherPlan']),
    mayKeep: and(['isPaidFor', 'hasPending']),
    isPastDue: stateIn({ standing: 'past_due' }),
    hasReminded: ({ context }) => context.reminded >= context.policy.reminders,
  },
  delays: {
    readDeadline: 2 * MINUTE_MS,
    changeDeadline: 10 * MINUTE_MS,
    syncPause: ({ context }: Scope) => pauseMs(context.attempts.sync),
    changePause: ({ context }: Scope) => pauseMs(context.attempts.change),
    graceDeadline: ({ context, event }: Scope) =>
      remaining((context.pastDueSince ?? 0) + context.policy.graceMs, event),
    keepDeadline: ({ context, event }: Scope) => remaining(context.keptUntil ?? 0, event),
    reminderPause: ({ context: { policy } }: Scope) => policy.graceMs / policy.reminders,
  },
});
