import type { ActorSystem } from '../../actors/system.ts';
import type { StripeClient } from '../../clients/stripe/client.ts';
import { subscriptionOf } from '../../machines/index.ts';
import { reasonOf } from '../../machines/subscription/calls.ts';
import type { BillingRuns } from '../../storage/billing-runs.ts';
import type { Customers } from '../../storage/customers.ts';
import type { MailOrder } from '../../storage/mail-order.ts';
import type { StripeEvents } from '../../storage/stripe-events.ts';
import type { SubscriptionRow, Subscriptions } from '../../storage/subscriptions.ts';
import { type createDecisions, removeExpired } from '../effects/billing.ts';
import { inTurn } from '../in-turn.ts';
import type { BillingTask } from './billing-schedule.ts';

const PAGE_MAX = 200;
const DAY_MS = 24 * 3_600_000;
/** A trial that ends within this time is told of. */
const TRIAL_NOTICE_MS = 3 * DAY_MS;
const KEPT_MS = 90 * DAY_MS;
const UNTOLD_MAX = 500;

export interface BillingTaskOptions {
  readonly stripe: Pick<StripeClient, 'listCustomersWithSubscriptions'>;
  readonly subscriptions: Pick<Subscriptions, 'page' | 'find'>;
  readonly customers: Pick<Customers, 'find' | 'findByCustomerIds' | 'listUntold'>;
  readonly events: Pick<StripeEvents, 'forget'>;
  readonly runs: Pick<BillingRuns, 'forget'>;
  readonly actors: Pick<ActorSystem, 'ask' | 'tell'>;
  readonly tellDecision: ReturnType<typeof createDecisions>;
  /** Makes the actor of a customer that Stripe knows and we do not. */
  readonly enroll: (userId: string) => Promise<string>;
  readonly sendMail: (order: MailOrder) => Promise<void>;
  readonly now: () => number;
}

/** What the billing schedule does at its time. */
export function createBillingTasks(options: BillingTaskOptions) {
  const { subscriptions, customers, now } = options;

  async function* everySubscription(signal: AbortSignal): AsyncGenerator<SubscriptionRow> {
    for (let after = ''; ; ) {
      signal.throwIfAborted();
      const page = await subscriptions.page({ after, limit: PAGE_MAX });
      yield* page;
      const last = page.at(-1);
      if (!last || page.length < PAGE_MAX) return;
      after = last.userId;
    }
  }

  /** Of what Stripe knows: events may be lost, and people change things there by hand. */
  const reconcile: BillingTask = async (runId, signal) => {
    const eventId = `reconcile/${runId}`;
    const look = { type: 'stripe.changed', why: 'reconcile' };
    const seen = new Set<string>();
    let failed = 0;
    for await (const { userId, context } of everySubscription(signal)) {
      seen.add(context.customerId);
      // One that cannot be told keeps none of the others from being compared.
      await options.actors.tell(subscriptionOf(userId), look, { eventId }).catch(() => {
        failed += 1;
      });
    }
    const strangers: string[] = [];
    for await (const { customerId } of options.stripe.listCustomersWithSubscriptions(signal)) {
      if (!seen.has(customerId)) strangers.push(customerId);
    }
    const ours = await customers.findByCustomerIds(strangers);
    for (const { userId } of ours) {
      await options.enroll(userId);
      await options.actors.tell(subscriptionOf(userId), look, { eventId });
    }
    const found = ours.length;
    return { asked: seen.size, failed, found, strangers: strangers.length - found };
  };

  const reminders: BillingTask = async (_, signal) => {
    let [trialing, due] = [0, 0];
    for await (const { userId, status, context } of everySubscription(signal)) {
      const trialEnd = context.observed?.trialEnd;
      if (status !== 'trialing' || trialEnd == null) continue;
      trialing += 1;
      if (trialEnd - now() > TRIAL_NOTICE_MS) continue;
      const customer = await customers.find(userId);
      if (!customer) continue;
      due += 1;
      await options.sendMail({
        key: `trial_ending/${context.id}/${trialEnd}`,
        kind: 'trial_ending',
        recipient: customer.email,
        params: { trialEnd: new Date(trialEnd).toISOString() },
      });
    }
    return { trialing, due };
  };

  const expiry: BillingTask = async () => ({
    events: await options.events.forget(KEPT_MS),
    runs: await options.runs.forget(KEPT_MS),
  });

  return { tasks: { reconcile, reminders, expiry }, tellUntold: createUntoldSweep(options) };
}

/** Instances that were made while something was decided about their owner. */
function createUntoldSweep(options: BillingTaskOptions) {
  const { subscriptions, customers } = options;
  return async (signal: AbortSignal): Promise<void> => {
    const untold = await customers.listUntold(UNTOLD_MAX);
    const tell = async ({ instanceId, userId }: (typeof untold)[number]): Promise<void> => {
      const [row, customer] = await Promise.all([
        subscriptions.find(userId),
        customers.find(userId),
      ]);
      if (!row) return;
      const { order } = row.context;
      // Administrators pay nothing, whatever was decided before they were.
      const reason = customer?.role === 'admin' ? null : reasonOf(row.context);
      if (reason !== null && row.status === 'expired') {
        await removeExpired(options.actors, instanceId, order);
      }
      await options.tellDecision(instanceId, { reason, order });
    };
    await inTurn(untold, tell, signal);
  };
}
