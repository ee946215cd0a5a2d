import { reasonOf } from './calls.ts';
import { atOf, subscriptionSetup } from './setup.ts';
import type {
  ChangeKind,
  Observed,
  PlanChange,
  SubscriptionContext,
  SubscriptionEffect,
  SubscriptionEvent,
} from './types.ts';

/** The building blocks of a step: begin a call, repeat it, account for it. */

type Fields<Kind extends SubscriptionEffect['kind']> = Omit<
  Extract<SubscriptionEffect, { kind: Kind }>,
  'kind' | 'opId' | 'id' | 'userId'
>;

interface Scope {
  readonly context: SubscriptionContext;
  readonly event: SubscriptionEvent;
}

function effect<Kind extends SubscriptionEffect['kind']>(
  kind: Kind,
  opId: (context: SubscriptionContext) => string,
  fields: (context: SubscriptionContext) => Fields<Kind>,
) {
  return {
    type: 'effect',
    params: ({ context }: { context: SubscriptionContext }) => ({
      effect: {
        kind,
        opId: opId(context),
        id: context.id,
        userId: context.userId,
        ...fields(context),
      } as unknown as SubscriptionEffect,
    }),
  } as const;
}

/** Never that of a call, which is a bare number. */
const orderId = ({ order }: SubscriptionContext) => `order-${order}`;

const takeLane = (lane: 'sync' | 'change') =>
  subscriptionSetup.assign({
    opSeq: ({ context }) => context.opSeq + 1,
    ops: ({ context, event }) => ({
      ...context.ops,
      [lane]: { id: String(context.opSeq + 1), since: atOf(event) },
    }),
    attempts: ({ context }) => ({ ...context.attempts, [lane]: context.attempts[lane] + 1 }),
    isStale: ({ context }) => (lane === 'sync' ? false : context.isStale),
  });

export const freeLane = (lane: 'sync' | 'change') =>
  subscriptionSetup.assign({ ops: ({ context }) => ({ ...context.ops, [lane]: null }) });

/** What was read last is not all there is to know. */
export const markStale = subscriptionSetup.assign({ isStale: true });

export const resetAttempts = (lane: 'sync' | 'change') =>
  subscriptionSetup.assign({ attempts: ({ context }) => ({ ...context.attempts, [lane]: 0 }) });

export const beginReading = [
  takeLane('sync'),
  effect(
    'stripe.read',
    ({ ops }) => ops.sync?.id ?? '',
    ({ customerId }) => ({ customerId }),
  ),
] as const;

export const beginChange = [
  takeLane('change'),
  effect(
    'stripe.change',
    ({ ops }) => ops.change?.id ?? '',
    ({ observed, change }) => ({
      subscriptionId: observed?.subscriptionId ?? '',
      change: change?.kind ?? 'keep',
      priceId: change?.priceId ?? null,
      key: `change/${change?.id}`,
    }),
  ),
] as const;

/** A wish becomes the change that its sender can follow. */
export const acceptChange = (kind: ChangeKind) =>
  subscriptionSetup.assign({
    change: ({ context, event }) => changeOf(kind, event) ?? context.change,
  });

function changeOf(kind: ChangeKind, event: SubscriptionEvent): PlanChange | null {
  if (!('operationId' in event)) return null;
  return {
    id: event.operationId,
    kind,
    planId: 'planId' in event ? event.planId : null,
    priceId: 'priceId' in event ? event.priceId : null,
    state: 'running',
    requestedBy: event.requestedBy,
    acceptedAt: event.at,
    finishedAt: null,
    error: null,
  };
}

export const endChange = (state: 'succeeded' | 'failed') => [
  subscriptionSetup.assign({
    change: ({ context: { change }, event }) =>
      change && {
        ...change,
        state,
        finishedAt: atOf(event),
        error: state === 'failed' ? errorOf(event) : null,
      },
  }),
  freeLane('change'),
];

const errorOf = (event: SubscriptionEvent) =>
  event.type === 'effect.failed'
    ? { code: event.code, message: event.message }
    : { code: 'deadline_exceeded', message: 'Stripe did not do it in time' };

/** A price that we do not know (any more) does not make a plan another one. */
function withPlan(before: Observed | null, seen: Observed | null): Observed | null {
  if (seen === null || seen.planId !== null) return seen;
  if (seen.subscriptionId !== before?.subscriptionId) return seen;
  return { ...seen, planId: before.planId };
}

export const rememberObserved = subscriptionSetup.assign({
  observed: ({ context, event }) =>
    event.type === 'subscription.observed'
      ? withPlan(context.observed, event.observed)
      : context.observed,
  observedAt: ({ context, event }) =>
    event.type === 'subscription.observed' ? event.at : context.observedAt,
});

export const fallDue = subscriptionSetup.assign({
  pastDueSince: ({ event }: Scope) => atOf(event),
});

/** Counts it, and asks for the mail, whose key makes it one however often that is performed. */
export const remind = [
  subscriptionSetup.assign({ reminded: ({ context }) => context.reminded + 1 }),
  effect(
    'billing.mail',
    () => 'mail',
    ({ id, pastDueSince, reminded, policy }) => ({
      key: `payment_failed/${id}/${pastDueSince}/${reminded}`,
      mail: {
        kind: 'payment_failed' as const,
        params: {
          n: reminded,
          total: policy.reminders,
          suspendAt: (pastDueSince ?? 0) + policy.graceMs,
        },
      },
    }),
  ),
] as const;

const decide = effect('billing.apply', orderId, (context) => ({
  order: context.order,
  reason: reasonOf(context),
}));

/** The owner pays from now on, or does not any more: what was decided on containers may not do. */
export const decideAnew = (isExempt: boolean) => [
  subscriptionSetup.assign({ isExempt, order: ({ context }) => context.order + 1 }),
  decide,
];

/** Whoever does not have to pay, or has to again, has as long for it as everybody. */
export const keepAnew = subscriptionSetup.assign({
  keptUntil: ({ context, event }) => atOf(event) + context.policy.keepMs,
});

/** Until when they are kept is told anew whenever that is another time. */
export const tellSuspended = effect(
  'billing.mail',
  () => 'mail',
  ({ id, keptUntil, observed }) => ({
    key: `suspended/${id}/${keptUntil}`,
    mail: {
      kind: 'suspended' as const,
      params: { keptUntil: keptUntil ?? 0, isEnded: observed?.status === 'canceled' },
    },
  }),
);

/** Containers are stopped and kept from now on. */
export const suspend = [
  subscriptionSetup.assign({
    suspendedAt: ({ context, event }) => context.suspendedAt ?? atOf(event),
    keptUntil: ({ context, event }) => context.keptUntil ?? atOf(event) + context.policy.keepMs,
    order: ({ context }) => context.order + 1,
  }),
  decide,
  tellSuspended,
] as const;

/** What ran before runs again. */
export const restore = [
  subscriptionSetup.assign({
    suspendedAt: null,
    keptUntil: null,
    order: ({ context }) => context.order + 1,
  }),
  decide,
  effect(
    'billing.mail',
    () => 'mail',
    ({ id, order }) => ({
      key: `restored/${id}/${order}`,
      mail: { kind: 'restored' as const, params: {} },
    }),
  ),
] as const;

export const settle = subscriptionSetup.assign({ pastDueSince: null, reminded: 0 });

/** Before anything is deleted Stripe is asked once more, whatever is being read just now. */
export const checkOnce = subscriptionSetup.assign({
  checkAfter: ({ context }) => context.opSeq,
  isStale: true,
});

export const expire = [
  subscriptionSetup.assign({ order: ({ context }) => context.order + 1 }),
  effect('billing.expire', orderId, ({ order }) => ({ order })),
  effect('billing.cancel', orderId, ({ order, observed }) => ({
    order,
    subscriptionId: observed?.subscriptionId ?? null,
  })),
] as const;
