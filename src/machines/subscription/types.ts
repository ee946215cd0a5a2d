/**
 * What a subscription actor remembers, hears and asks for. All of it is stored as JSON. Times are
 * Unix ms.
 */

/** What Stripe says of what a customer pays for, in words of ours. */
export interface Observed {
  readonly subscriptionId: string;
  /** Stripe's word: `incomplete`, `trialing`, `active`, `past_due`, `unpaid`, `canceled`, … */
  readonly status: string;
  /** null: a price that no plan of ours has. */
  readonly planId: string | null;
  /** It has ended, and what is in use is within what whoever pays nothing may have. */
  readonly fitsDefault?: boolean;
  /** More is in use than the plan includes: it was changed somewhere else. */
  readonly exceedsPlan?: boolean;
  /** Subscriptions beside this one that are charged for, too: made by hand. */
  readonly others?: number;
  readonly periodEnd: number;
  readonly trialEnd: number | null;
  /** What happens at the end of the period. `planId` null: it ends. */
  readonly pending: { readonly planId: string | null; readonly at: number } | null;
}

export type Standing =
  | 'none'
  | 'trialing'
  | 'active'
  | 'past_due'
  | 'suspended'
  | 'canceled'
  | 'expiring'
  | 'expired';

/** How much patience we have. */
export interface BillingPolicy {
  /** From a payment that failed to the suspension. */
  readonly graceMs: number;
  /** Mails that remind of it, evenly spread over that time. */
  readonly reminders: number;
  /** How long containers are kept that nobody pays for. */
  readonly keepMs: number;
}

export type ChangeKind = 'upgrade' | 'downgrade' | 'keep';

/** One change of the plan, by whoever wanted it. */
export interface PlanChange {
  readonly id: string;
  readonly kind: ChangeKind;
  /** null: to end at the end of the period, or to keep what there is. */
  readonly planId: string | null;
  readonly priceId: string | null;
  readonly state: 'running' | 'succeeded' | 'failed';
  readonly requestedBy: string;
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** A call to Stripe that is in flight. An answer to another one changes nothing. */
export interface BillingCall {
  readonly id: string;
  readonly since: number;
}

export interface SubscriptionInput {
  readonly id: string;
  readonly userId: string;
  readonly customerId: string;
  readonly policy: BillingPolicy;
  readonly at: number;
}

export interface SubscriptionContext extends Omit<SubscriptionInput, 'at'> {
  /** null: nothing was ever subscribed to. */
  readonly observed: Observed | null;
  readonly observedAt: number | null;
  readonly opSeq: number;
  readonly ops: { readonly sync: BillingCall | null; readonly change: BillingCall | null };
  /** Attempts of the call that each of them repeats. */
  readonly attempts: { readonly sync: number; readonly change: number };
  /** Something has changed since the reading in flight began. */
  readonly isStale: boolean;
  readonly change: PlanChange | null;
  readonly pastDueSince: number | null;
  readonly reminded: number;
  readonly suspendedAt: number | null;
  /** Until when containers are kept that nobody pays for. */
  readonly keptUntil: number | null;
  /** Number of the last call before time was up: only a reading after it may have them deleted. */
  readonly checkAfter: number;
  /** Counts what was decided on containers: a later decision wins wherever they cross. */
  readonly order: number;
  /** An administrator pays nothing. */
  readonly isExempt: boolean;
}

interface ChangeWish {
  readonly operationId: string;
  readonly requestedBy: string;
}

type Fact =
  /** Look again: what Stripe told us, or a comparison. */
  | { readonly type: 'stripe.changed'; readonly why: string }
  | {
      readonly type: 'subscription.observed';
      readonly opId: string;
      readonly observed: Observed | null;
    }
  | { readonly type: 'change.made'; readonly opId: string }
  | {
      readonly type: 'effect.failed';
      readonly opId: string;
      readonly code: string;
      readonly message: string;
      readonly retryable: boolean;
    }
  /** The owner has become an administrator, or is none any more. */
  | { readonly type: 'owner.exempted' }
  | { readonly type: 'owner.charged' }
  /** What nobody waits for has been done. */
  | { readonly type: 'effect.done'; readonly opId: string }
  | ({
      readonly type: 'upgrade.requested';
      readonly planId: string;
      readonly priceId: string;
    } & ChangeWish)
  /** null: to end at the end of the period. */
  | ({
      readonly type: 'downgrade.requested';
      readonly planId: string | null;
      readonly priceId: string | null;
    } & ChangeWish)
  | ({ readonly type: 'keep.requested' } & ChangeWish);

export type SubscriptionEvent = Fact & { readonly at: number };

/** What the machine may ask the world to do. */
export type SubscriptionEffect = {
  readonly opId: string;
  /** The actor's. */
  readonly id: string;
  readonly userId: string;
} & (
  | { readonly kind: 'stripe.read'; readonly customerId: string }
  | {
      readonly kind: 'stripe.change';
      readonly subscriptionId: string;
      readonly change: ChangeKind;
      readonly priceId: string | null;
      /** The same at every attempt: Stripe does it once. */
      readonly key: string;
    }
  | {
      readonly kind: 'billing.mail';
      readonly key: string;
      readonly mail: BillingMail;
    }
  /** Containers of the customer are suspended, or, with null, restored. */
  | { readonly kind: 'billing.apply'; readonly reason: string | null; readonly order: number }
  | { readonly kind: 'billing.expire'; readonly order: number }
  /** At Stripe, so that nothing is charged for what does not exist. */
  | {
      readonly kind: 'billing.cancel';
      readonly subscriptionId: string | null;
      readonly order: number;
    }
);

export type BillingMail =
  | {
      readonly kind: 'payment_failed';
      readonly params: {
        /** The `n`th of `total`. */
        readonly n: number;
        readonly total: number;
        readonly suspendAt: number;
      };
    }
  | {
      readonly kind: 'suspended';
      readonly params: { readonly keptUntil: number; readonly isEnded: boolean };
    }
  | { readonly kind: 'restored'; readonly params: Readonly<Record<string, never>> };

export type SubscriptionEffectKind = SubscriptionEffect['kind'];
