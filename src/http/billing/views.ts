import { z } from 'zod';

import { isWithin, type Use } from '../../storage/customers.ts';
import type { Plan } from '../../storage/plans.ts';
import type { CustomerStanding } from './standing.ts';

const date = z.iso.datetime();

const amounts = z
  .object({ slots: z.number().int(), memoryMiB: z.number().int() })
  .meta({ id: 'Amounts', description: 'Containers, and the memory of all of them together' });

export const planView = z
  .object({
    id: z.string(),
    name: z.string(),
    slots: z.number().int(),
    memoryMiB: z.number().int(),
    price: z.number().describe('A month, in the currency'),
    currency: z.string(),
    isDefault: z.boolean().describe('What whoever pays nothing has'),
  })
  .meta({ id: 'Plan' });

const changeView = z
  .object({
    id: z.string(),
    kind: z.enum(['upgrade', 'downgrade', 'keep']),
    planId: z.string().nullable(),
    state: z.enum(['running', 'succeeded', 'failed']),
    acceptedAt: date,
    finishedAt: date.nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
  })
  .meta({ id: 'PlanChange' });

export const billingView = z
  .object({
    ok: z.literal(true),
    status: z
      .enum([
        ...(['none', 'trialing', 'active', 'past_due'] as const),
        ...(['suspended', 'canceled', 'expiring', 'expired', 'exempt'] as const),
      ])
      .describe('`exempt`: an administrator'),
    plan: planView.nullable(),
    limits: amounts.nullable().describe('null: none'),
    used: amounts,
    isOverLimit: z
      .boolean()
      .describe('More is used than the plan includes, as it was changed somewhere else'),
    periodEnd: date.nullable(),
    trialEnd: date.nullable(),
    pendingChange: z
      .object({ planId: z.string().nullable().describe('null: it ends'), at: date })
      .nullable()
      .describe('What happens at the end of the period'),
    change: changeView.nullable().describe('The latest change of the plan; it may have ended'),
    suspendedAt: date.nullable(),
    keptUntil: date.nullable().describe('Until when containers are kept that nobody pays for'),
    observedAt: date.nullable().describe('When Stripe was last asked'),
  })
  .meta({ id: 'Billing' });

const dateOf = (at: number | null | undefined): string | null =>
  at === null || at === undefined ? null : new Date(at).toISOString();

export const viewPlan = (plan: Plan): z.input<typeof planView> => ({
  id: plan.id,
  name: plan.name,
  slots: plan.slots,
  memoryMiB: plan.memoryMiB,
  price: plan.priceCents / 100,
  currency: plan.currency,
  isDefault: plan.isDefault,
});

export function viewBilling(
  { status, isExempt, plan, limits, subscription }: CustomerStanding,
  used: Use,
): z.input<typeof billingView> {
  const context = subscription?.context;
  const { observed = null, change = null } = context ?? {};
  return {
    ok: true,
    status: (isExempt ? 'exempt' : status) as z.input<typeof billingView>['status'],
    plan: plan && viewPlan(plan),
    limits,
    used,
    isOverLimit: limits !== null && !isWithin(used, limits),
    periodEnd: dateOf(observed?.periodEnd),
    trialEnd: dateOf(observed?.trialEnd),
    pendingChange: observed?.pending
      ? { planId: observed.pending.planId, at: new Date(observed.pending.at).toISOString() }
      : null,
    change: change && {
      id: change.id,
      kind: change.kind,
      planId: change.planId,
      state: change.state,
      acceptedAt: new Date(change.acceptedAt).toISOString(),
      finishedAt: dateOf(change.finishedAt),
      error: change.error,
    },
    suspendedAt: isExempt ? null : dateOf(context?.suspendedAt),
    keptUntil: isExempt ? null : dateOf(context?.keptUntil),
    observedAt: dateOf(context?.observedAt),
  };
}
