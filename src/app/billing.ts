import type { StripeClient } from '../clients/stripe/client.ts';
import { createPlanChange } from '../http/billing/change-plan.ts';
import { createEnrollment } from '../http/billing/enroll.ts';
import { createStandings, type Standings } from '../http/billing/standing.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { billingEndpoints } from '../http/routes/billing.ts';
import { billingRunEndpoints } from '../http/routes/billing-runs.ts';
import { billingWebhookEndpoints } from '../http/routes/billing-webhook.ts';
import type { Waiting } from '../http/wait.ts';
import { createBillingPerformers, createDecisions } from '../queues/effects/billing.ts';
import type { SubscriptionPerformers } from '../queues/effects/performer.ts';
import { createBillingSchedule } from '../queues/workers/billing-schedule.ts';
import { createBillingTasks } from '../queues/workers/billing-tasks.ts';
import type { Sweeps } from '../queues/workers/sweep.ts';
import { createStripeEventsSweep } from '../queues/workers/take-stripe-events.ts';
import { createEntitlementSweep } from '../queues/workers/tell-entitlements.ts';
import { createAudit } from '../storage/audit.ts';
import { createBillingRuns } from '../storage/billing-runs.ts';
import { createCustomers } from '../storage/customers.ts';
import { createInstanceStore } from '../storage/instance-store.ts';
import { createPlans } from '../storage/plans.ts';
import { createStripeEvents } from '../storage/stripe-events.ts';
import { createSubscriptions } from '../storage/subscriptions.ts';
import type { Foundation } from './foundation.ts';

const HOUR_MS = 3_600_000;
const EVENTS_SWEEP_MS = 2_000;
const ENTITLEMENTS_SWEEP_MS = 30_000;

type Parts = Pick<
  Foundation,
  | 'actors'
  | 'closing'
  | 'config'
  | 'database'
  | 'logger'
  | 'now'
  | 'randomId'
  | 'relay'
  | 'sendMail'
  | 'stripe'
>;

function compose(
  parts: Parts,
  stripe: StripeClient,
  billing: NonNullable<Parts['config']['billing']>,
) {
  const { actors, database, logger, now, sendMail } = parts;
  const { pool, prisma } = database;
  const plans = createPlans(prisma);
  const customers = createCustomers(pool);
  const subscriptions = createSubscriptions(pool);
  const events = createStripeEvents(pool);
  const runs = createBillingRuns(pool);
  const { graceMs, reminders, keepMs } = billing;
  const enroll = createEnrollment({
    ...{ stripe, customers, subscriptions, actors, now },
    policy: { graceMs, reminders, keepMs },
  });
  const billed = { stripe, plans, customers, subscriptions, events, runs, actors, enroll };
  const tasks = createBillingTasks({
    ...{ ...billed, sendMail, now, logger },
  });
  const tellEntitlements = createEntitlementSweep({
    ...{ customers, subscriptions, actors, tellDecision: createDecisions(actors) },
  });
  const run = createBillingSchedule({ runs, tasks, logger });
  return { ...billed, audit: createAudit(prisma), sendMail, tellEntitlements, run };
}

/** Nothing is billed, and nobody is limited. */
const FREE: Pick<Standings, 'allowanceOf' | 'summaryOf'> = {
  allowanceOf: async () => null,
  summaryOf: async () => ({ status: 'none', suspendedAt: null, planName: null, planPrice: 0 }),
};

/** What a node asks of billing; every part is empty where nothing is billed. */
export function createBilling(parts: Parts) {
  const { config, stripe, database, closing, randomId, relay } = parts;
  const { pool, prisma } = database;
  const standings = createStandings({
    plans: createPlans(prisma),
    customers: createCustomers(pool),
    subscriptions: createSubscriptions(pool),
  });
  const { billing } = config;
  if (!stripe || !billing) {
    return { ...FREE, endpoints: (): readonly AnyEndpoint[] => [], workers: null };
  }
  const composed = compose(parts, stripe, billing);
  const { plans, customers, actors, events, runs, enroll, audit, run } = composed;
  return {
    ...{ allowanceOf: standings.allowanceOf, summaryOf: standings.summaryOf },
    endpoints: (waiting: Waiting): readonly AnyEndpoint[] => [
      ...billingEndpoints({
        ...{ stripe, plans, customers, standings, enroll, audit, randomId },
        changePlan: createPlanChange({
          ...{ actors, plans, customers, standings, waiting, randomId },
          answers: createInstanceStore(pool),
        }),
        portalUrl: billing.portalUrl,
      }),
      ...billingWebhookEndpoints({
        ...{ stripe, events },
        processSoon: () => relay.sweepSoon('stripe_events'),
      }),
      ...billingRunEndpoints({ runs, audit, run: (kind) => run(kind, closing.signal) }),
    ],
    workers: {
      performers: createBillingPerformers(composed) satisfies SubscriptionPerformers,
      sweeps: sweepsOf(composed, billing.reconcileEveryMs),
    },
  };
}

function sweepsOf(
  { run, tellEntitlements, ...parts }: ReturnType<typeof compose>,
  reconcileEveryMs: number,
): Sweeps {
  const scheduled = (kind: 'reconcile' | 'reminders' | 'expiry', everyMs: number) => ({
    everyMs,
    run: async (shutdown: AbortSignal) => void (await run(kind, shutdown)),
  });
  return {
    stripe_events: { everyMs: EVENTS_SWEEP_MS, run: createStripeEventsSweep(parts) },
    entitlements: { everyMs: ENTITLEMENTS_SWEEP_MS, run: tellEntitlements },
    billing_reconcile: scheduled('reconcile', reconcileEveryMs),
    billing_reminders: scheduled('reminders', HOUR_MS),
    billing_expiry: scheduled('expiry', HOUR_MS),
  };
}

export type Billing = ReturnType<typeof createBilling>;
