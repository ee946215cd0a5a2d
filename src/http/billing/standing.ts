import { ControlPlaneError } from '../../errors.ts';
import type { Customers, Use } from '../../storage/customers.ts';
import type { Allowance } from '../../storage/instance-store.ts';
import type { Plan, Plans } from '../../storage/plans.ts';
import type { SubscriptionRow, Subscriptions } from '../../storage/subscriptions.ts';
import type { BillingStanding } from '../account-view.ts';

const PAID: readonly string[] = ['trialing', 'active', 'past_due'];
const NOTHING: Use = { slots: 0, memoryMiB: 0 };

/** What a customer pays for and may have. */
export interface CustomerStanding {
  readonly status: string;
  /** Administrators pay nothing, and have what they want. */
  readonly isExempt: boolean;
  readonly plan: Plan | null;
  readonly limits: Use | null;
  readonly subscription: SubscriptionRow | null;
}

interface Dependencies {
  readonly plans: Pick<Plans, 'list'>;
  readonly customers: Pick<Customers, 'find'>;
  readonly subscriptions: Pick<Subscriptions, 'find'>;
}

export const limitsOf = (plan: Plan | null): Use =>
  plan ? { slots: plan.slots, memoryMiB: plan.memoryMiB } : NOTHING;

const smallerOf = (a: Use, b: Use): Use => ({
  slots: Math.min(a.slots, b.slots),
  memoryMiB: Math.min(a.memoryMiB, b.memoryMiB),
});

/** Reads what somebody pays for. Nothing here is cached: it decides about containers and money. */
export function createStandings({ plans, customers, subscriptions }: Dependencies) {
  async function standingOf(userId: string): Promise<CustomerStanding> {
    const [all, customer, subscription] = await Promise.all([
      plans.list(),
      customers.find(userId),
      subscriptions.find(userId),
    ]);
    const status = subscription?.status ?? 'none';
    const paidPlan = PAID.includes(status) ? subscription?.context.observed?.planId : undefined;
    const plan =
      all.find(({ id }) => id === paidPlan) ?? all.find(({ isDefault }) => isDefault) ?? null;
    const isExempt = customer?.role === 'admin';
    return { status, isExempt, plan, limits: isExempt ? null : limitsOf(plan), subscription };
  }

  /** What is made now is still there when a smaller plan begins. */
  async function pendingLimits({ subscription }: CustomerStanding): Promise<Use | null> {
    const { observed, change } = subscription?.context ?? {};
    // One that Stripe is being asked for just now counts like one that it has agreed to.
    const isPlanned = change?.state === 'running' && change.kind === 'downgrade';
    const pending = isPlanned ? change : observed?.pending;
    if (!pending) return null;
    const all = await plans.list();
    return limitsOf(
      all.find(({ id, isDefault }) => (pending.planId ? id === pending.planId : isDefault)) ?? null,
    );
  }

  return {
    standingOf,
    /** null: as much as they want. @throws ControlPlaneError `account_suspended` */
    async allowanceOf(userId: string): Promise<Allowance | null> {
      const standing = await standingOf(userId);
      const { limits, plan, subscription } = standing;
      if (!limits) return null;
      const { suspendedAt = null, keptUntil = null } = subscription?.context ?? {};
      if (suspendedAt === null) {
        const pending = (await pendingLimits(standing)) ?? limits;
        return { plan: plan?.id ?? null, limits: smallerOf(limits, pending) };
      }
      throw new ControlPlaneError('account_suspended', 'nothing can be made: a payment is due', {
        details: { keptUntil: keptUntil === null ? null : new Date(keptUntil).toISOString() },
      });
    },
    async summaryOf(userId: string): Promise<BillingStanding> {
      const { status, isExempt, plan, subscription } = await standingOf(userId);
      const { suspendedAt = null } = subscription?.context ?? {};
      return {
        status: isExempt ? 'exempt' : status,
        suspendedAt: suspendedAt === null || isExempt ? null : new Date(suspendedAt),
        planName: plan?.name ?? null,
        planPrice: (plan?.priceCents ?? 0) / 100,
      };
    },
  };
}

export type Standings = ReturnType<typeof createStandings>;
