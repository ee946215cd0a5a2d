import type { ActorSystem } from '../../actors/system.ts';
import type { StripeClient } from '../../clients/stripe/client.ts';
import { subscriptionOf } from '../../machines/index.ts';
import type { BillingRuns } from '../../storage/billing-runs.ts';
import type { Customers } from '../../storage/customers.ts';
import type { MailOrder } from '../../storage/mail-order.ts';
import type { StripeEvents } from '../../storage/stripe-events.ts';
import type { SubscriptionRow, Subscriptions } from '../../storage/subscriptions.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { BillingTask } from './billing-schedule.ts';

const PAGE_MAX = 200;
const DAY_MS = 24 * 3_600_000;
/** A trial that ends within this time is told of. */
const TRIAL_NOTICE_MS = 3 * DAY_MS;
const KEPT_MS = 90 * DAY_MS;

export interface BillingTaskOptions {
  readonly stripe: Pick<StripeClient, 'listCustomersWithSubscriptions'>;
  readonly subscriptions: Pick<Subscriptions, 'page'>;
  readonly customers: Pick<Customers, 'find' | 'findByCustomerIds'>;
  readonly events: Pick<StripeEvents, 'forget'>;
  readonly runs: Pick<BillingRuns, 'forget'>;
  readonly actors: Pick<ActorSystem, 'tell'>;
  /** Makes the actor of a customer that Stripe knows and we do not. */
  readonly enroll: (userId: string) => Promise<string>;
  readonly sendMail: (order: MailOrder) => Promise<void>;
  readonly now: () => number;
  readonly logger: Logger;
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
    let [failed, exceeding, doubled] = [0, 0, 0];
    const tell = async (userId: string, isKnown: boolean): Promise<void> => {
      try {
        if (!isKnown) await options.enroll(userId);
        await options.actors.tell(subscriptionOf(userId), look, { eventId });
      } catch (error) {
        // One that cannot be told keeps none of the others from being compared.
        failed += 1;
        options.logger.warn({ userId, err: error }, 'a subscription could not be compared');
      }
    };
    for await (const { userId, context } of everySubscription(signal)) {
      const { customerId, observed } = context;
      seen.add(customerId);
      if (observed?.exceedsPlan) exceeding += 1;
      if (observed?.others) doubled += 1;
      await tell(userId, true);
    }
    const strangers: string[] = [];
    for await (const { customerId } of options.stripe.listCustomersWithSubscriptions(signal)) {
      if (!seen.has(customerId)) strangers.push(customerId);
    }
    const ours = await customers.findByCustomerIds(strangers);
    for (const { userId } of ours) await tell(userId, false);
    const found = ours.length;
    const unknown = strangers.length - found;
    return { asked: seen.size, failed, found, strangers: unknown, exceeding, doubled };
  };

  const reminders: BillingTask = async (_, signal) => {
    let [trialing, due] = [0, 0];
    for await (const { userId, status, context } of everySubscription(signal)) {
      const trialEnd = context.observed?.trialEnd;
      if (status !== 'trialing' || trialEnd == null) continue;
      trialing += 1;
      const left = trialEnd - now();
      if (left > TRIAL_NOTICE_MS || left <= 0) continue;
      const customer = await customers.find(userId);
      if (!customer || customer.role === 'admin') continue;
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

  return { reconcile, reminders, expiry };
}
