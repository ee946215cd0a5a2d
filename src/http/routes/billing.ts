import { z } from 'zod';

import type { StripeClient } from '../../clients/stripe/client.ts';
import { ControlPlaneError, NotFoundError } from '../../errors.ts';
import type { Audit } from '../../storage/audit.ts';
import type { Customers } from '../../storage/customers.ts';
import type { Plan, Plans } from '../../storage/plans.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import { type createPlanChange, refusePlan, requireFit } from '../billing/change-plan.ts';
import type { Standings } from '../billing/standing.ts';
import { billingView, planView, viewBilling, viewPlan } from '../billing/views.ts';
import { type AnyEndpoint, type Caller, endpoint, nothing } from '../endpoint.ts';

export interface BillingEndpointDependencies {
  readonly stripe: Pick<StripeClient, 'createCheckout' | 'createPortalSession'>;
  readonly plans: Pick<Plans, 'list'>;
  readonly customers: Pick<Customers, 'useOf'>;
  readonly standings: Standings;
  /** The customer at Stripe and the actor of a user, both made if need be. */
  readonly enroll: (userId: string) => Promise<string>;
  readonly changePlan: ReturnType<typeof createPlanChange>;
  readonly audit: Pick<Audit, 'write'>;
  readonly portalUrl: string;
  readonly randomId: () => string;
}

const PAYING: readonly string[] = ['trialing', 'active', 'past_due', 'suspended'];
const redirect = z.object({ ok: z.literal(true), url: z.url() }).meta({ id: 'Redirect' });
const planName = z.string().min(1).max(64);
const base = { tag: 'billing', params: nothing, query: nothing, body: nothing } as const;
const COMMON = ['unauthenticated', 'scope_missing'] as const;

export function billingEndpoints(dependencies: BillingEndpointDependencies): AnyEndpoint[] {
  const { plans, customers, standings } = dependencies;

  async function show(userId: string) {
    const [standing, used] = await Promise.all([
      standings.standingOf(userId),
      customers.useOf(userId),
    ]);
    return { status: 200, body: viewBilling(standing, used) };
  }

  return [
    endpoint({
      ...base,
      operationId: 'listPlans',
      summary: 'What can be rented, from the smallest',
      method: 'get',
      path: '/api/billing/plans',
      replies: { 200: z.object({ ok: z.literal(true), plans: z.array(planView) }) },
      problems: ['unauthenticated'],
      async handle() {
        return { status: 200, body: { ok: true, plans: (await plans.list()).map(viewPlan) } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getBilling',
      summary: 'My plan, what it includes and what of it I use',
      method: 'get',
      path: '/api/billing',
      replies: { 200: billingView },
      problems: ['unauthenticated'],
      handle: ({ principal }) => show(principal.userId),
    }),
    ...pages(dependencies),
    ...changes(dependencies, show),
  ];
}

const alreadySubscribed = () =>
  refusePlan('already_subscribed', 'there is a plan already: change it, or pay');

/** At the payment service. */
function pages(dependencies: BillingEndpointDependencies): AnyEndpoint[] {
  const { stripe, plans, customers, standings, enroll, audit, randomId } = dependencies;
  const returnUrl = new URL('/billing', dependencies.portalUrl).href;

  /** The smallest that costs something, if nobody says which. */
  async function choose(id: string | undefined): Promise<Plan & { stripePriceId: string }> {
    const sold = (await plans.list()).flatMap((plan) =>
      plan.stripePriceId === null ? [] : [{ ...plan, stripePriceId: plan.stripePriceId }],
    );
    const plan = id === undefined ? sold[0] : sold.find((one) => one.id === id);
    if (!plan) throw new NotFoundError(`there is no plan ${id ?? ''} that is sold`);
    return plan;
  }

  return [
    endpoint({
      ...base,
      operationId: 'checkout',
      summary: 'A page on which a plan is bought',
      method: 'post',
      path: '/api/billing/checkout',
      sessionOnly: true,
      body: z.object({ plan: planName.optional() }),
      replies: { 200: redirect },
      problems: [...COMMON, 'invalid_input', 'not_found', 'plan_change_refused', 'upstream_failed'],
      async handle({ body, principal: { userId }, caller }) {
        const { status, isExempt } = await standings.standingOf(userId);
        if (isExempt) throw refusePlan('exempt', 'administrators pay nothing');
        if (PAYING.includes(status)) throw alreadySubscribed();
        const plan = await choose(body.plan);
        // What was stopped while nobody paid for it is started again by this.
        requireFit(await customers.useOf(userId), plan);
        const page = await stripe.createCheckout({
          customerId: await enroll(userId),
          priceId: plan.stripePriceId,
          successUrl: `${returnUrl}?checkout=done`,
          cancelUrl: `${returnUrl}?checkout=canceled`,
          key: `checkout/${userId}/${randomId()}`,
        });
        // We may not have heard of it yet.
        if (!page) throw alreadySubscribed();
        await audit.write(ownEntry('checkout.opened', userId, caller, { plan: plan.id }));
        return { status: 200, body: { ok: true, url: page.url } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'openBillingPortal',
      summary: 'A page of mine at the payment service, for cards and invoices',
      method: 'post',
      path: '/api/billing/portal',
      sessionOnly: true,
      replies: { 200: redirect },
      problems: [...COMMON, 'plan_change_refused', 'upstream_failed'],
      async handle({ principal: { userId }, caller }) {
        const { isExempt, subscription } = await standings.standingOf(userId);
        // Whoever paid before has cards and invoices there.
        if (isExempt && !subscription) throw refusePlan('exempt', 'administrators pay nothing');
        const customerId = await enroll(userId);
        const { url } = await stripe.createPortalSession({ customerId, returnUrl });
        await audit.write(ownEntry('billing_portal.opened', userId, caller));
        return { status: 200, body: { ok: true, url } };
      },
    }),
  ];
}

function changes(
  { changePlan, audit }: Pick<BillingEndpointDependencies, 'changePlan' | 'audit'>,
  show: (userId: string) => Promise<{ status: number; body: unknown }>,
): AnyEndpoint[] {
  async function change(request: Parameters<typeof changePlan>[0], caller: Caller) {
    const { userId, kind, planId: plan } = request;
    const entry = ownEntry('plan_change.requested', userId, caller, { kind, plan });
    try {
      await changePlan(request);
    } catch (error) {
      const refused = error instanceof ControlPlaneError ? error : null;
      const reason = String(refused?.details['reason'] ?? refused?.code ?? 'internal_error');
      const detail = { ...entry.detail, reason };
      await audit.write({ ...entry, outcome: 'refused', detail });
      throw error;
    }
    await audit.write(entry);
    return show(userId);
  }

  const changing = {
    ...base,
    sessionOnly: true,
    reads: ['Idempotency-Key'],
    replies: { 200: billingView },
    problems: [
      ...[...COMMON, 'invalid_input' as const, 'not_found' as const],
      ...(['plan_change_refused', 'idempotency_key_reused', 'upstream_failed'] as const),
    ],
  } as const;
  return [
    endpoint({
      ...changing,
      operationId: 'upgrade',
      summary: 'A larger plan, at once; what is left of the present one is credited',
      method: 'post',
      path: '/api/billing/upgrade',
      body: z.object({ plan: planName }),
      handle: ({ body, principal: { userId }, headers: { idempotencyKey }, signal, caller }) =>
        change({ userId, kind: 'upgrade', planId: body.plan, idempotencyKey, signal }, caller),
    }),
    endpoint({
      ...changing,
      operationId: 'downgrade',
      summary: 'A smaller plan, or none, when the period that is paid for ends',
      method: 'post',
      path: '/api/billing/downgrade',
      body: z.object({ plan: planName.nullable().describe('null: to end it') }),
      handle: ({ body, principal: { userId }, headers: { idempotencyKey }, signal, caller }) =>
        change({ userId, kind: 'downgrade', planId: body.plan, idempotencyKey, signal }, caller),
    }),
    endpoint({
      ...changing,
      operationId: 'cancelDowngrade',
      summary: 'Keep the present plan after all',
      method: 'delete',
      path: '/api/billing/downgrade',
      handle: ({ principal: { userId }, headers: { idempotencyKey }, signal, caller }) =>
        change({ userId, kind: 'keep', planId: null, idempotencyKey, signal }, caller),
    }),
  ];
}
