/**
 * Changes of a subscription. Each looks first and does only what is missing, so that it may be
 * repeated after any of its answers was lost. A key belongs to a step and to what the step says:
 * the same step is the same request, and one that has to say something else is another.
 */
import { createHash } from 'node:crypto';
import type Stripe from 'stripe';

import { stripeError } from './failure.ts';
import {
  isOver,
  itemOf,
  observe,
  readSchedule,
  readSubscription,
  type Schedule,
  type Subscription,
  scheduleOf,
} from './observe.ts';

const PAID = ['active', 'trialing'];

/** One call of the SDK, whose failures are ours. */
export type Ask = <T>(what: string, call: (stripe: Stripe) => Promise<T>) => Promise<T>;

export interface SubscriptionChanges {
  /**
   * At once and prorated, paid for at once; it takes back whatever was pending. If the card is
   * declined, the price stays as it was. A key that was refused stays refused for a day.
   */
  upgrade(change: { subscriptionId: string; priceId: string; key: string }): Promise<void>;
  /** At the end of the period; it replaces what was pending. `priceId` null: it ends then. */
  scheduleDowngrade(change: {
    subscriptionId: string;
    priceId: string | null;
    key: string;
  }): Promise<void>;
  /** Goes on as it is; nothing pending is no error. */
  cancelPending(change: { subscriptionId: string; key: string }): Promise<void>;
  /** At once, without another invoice. What is paid for after all goes on: false. */
  cancelUnpaid(change: { subscriptionId: string; key: string }): Promise<boolean>;
}

/** Within the 255 characters that Stripe allows, as long as `key` is shorter than 200. */
export function keyOf(key: string, step: string, says: object): string {
  const digest = createHash('sha256').update(JSON.stringify(says)).digest('base64url');
  return `${key}/${step}/${digest.slice(0, 22)}`;
}

export function createChanges(ask: Ask): SubscriptionChanges {
  const { read, update, release, cancel, openSchedule, setPhases } = createSteps(ask);

  async function schedulePrice(one: Subscription, priceId: string, key: string): Promise<void> {
    const known = scheduleOf(one);
    const going = goesOn(one);
    if (!known && going) await update(one.id, going, key);
    const schedule = known ?? (await openSchedule(one, key));
    await setPhases(schedule, { until: itemOf(one).current_period_end, priceId, key });
  }

  async function cancelPending(one: Subscription, key: string): Promise<void> {
    await release(one, key);
    const going = goesOn(one);
    if (going) await update(one.id, going, key);
  }

  return {
    async upgrade({ subscriptionId, priceId, key }) {
      const one = await read(subscriptionId);
      const { id, price } = itemOf(one);
      if (price.id === priceId) return cancelPending(one, key);
      await release(one, key);
      const says: Stripe.SubscriptionUpdateParams = {
        items: [{ id, price: priceId }],
        proration_behavior: 'always_invoice',
        payment_behavior: 'error_if_incomplete',
        ...goesOn(one),
      };
      await update(subscriptionId, says, key);
    },
    async scheduleDowngrade({ subscriptionId, priceId, key }) {
      const one = await read(subscriptionId);
      const { pending, priceId: present } = observe(one);
      if (pending && pending.priceId === priceId) return;
      if (priceId === present) return cancelPending(one, key);
      if (priceId !== null) return schedulePrice(one, priceId, key);
      await release(one, key);
      await update(subscriptionId, { cancel_at_period_end: true }, key);
    },
    async cancelPending({ subscriptionId, key }) {
      await cancelPending(await read(subscriptionId), key);
    },
    async cancelUnpaid({ subscriptionId, key }) {
      const one = await read(subscriptionId);
      if (isOver(one)) return true;
      if (PAID.includes(one.status)) return false;
      await release(one, key);
      try {
        await cancel(subscriptionId, key);
      } catch (error) {
        // Somebody was faster: what has ended cannot be ended again.
        if (!isOver(await read(subscriptionId))) throw error;
      }
      return true;
    },
  };
}

function createSteps(ask: Ask) {
  return {
    async read(id: string): Promise<Subscription> {
      const what = `subscriptions.retrieve ${id}`;
      const expand = ['schedule'];
      const answer = await ask(what, (stripe) => stripe.subscriptions.retrieve(id, { expand }));
      return readSubscription(what, answer);
    },
    async update(id: string, says: Stripe.SubscriptionUpdateParams, key: string): Promise<void> {
      const options = { idempotencyKey: keyOf(key, `update/${id}`, says) };
      await ask(`subscriptions.update ${id}`, (stripe) =>
        stripe.subscriptions.update(id, says, options),
      );
    },
    /** Stripe lets nobody else end a subscription that a schedule manages. */
    async release(one: Subscription, key: string): Promise<void> {
      const id = scheduleOf(one)?.id;
      if (id === undefined) return;
      const options = { idempotencyKey: keyOf(key, `release/${id}`, {}) };
      await ask(`subscriptionSchedules.release ${id}`, (stripe) =>
        stripe.subscriptionSchedules.release(id, {}, options),
      );
    },
    async cancel(id: string, key: string): Promise<void> {
      const says = { invoice_now: false, prorate: false };
      const options = { idempotencyKey: keyOf(key, `cancel/${id}`, says) };
      await ask(`subscriptions.cancel ${id}`, (stripe) =>
        stripe.subscriptions.cancel(id, says, options),
      );
    },
    async openSchedule({ id }: Subscription, key: string): Promise<Schedule> {
      const says = { from_subscription: id };
      const options = { idempotencyKey: keyOf(key, 'schedule', says) };
      const what = `subscriptionSchedules.create ${id}`;
      const answer = await ask(what, (stripe) =>
        stripe.subscriptionSchedules.create(says, options),
      );
      return readSchedule(what, answer);
    },
    /** What is now until `until`, then `priceId` for good. It replaces what the schedule says. */
    async setPhases(
      { id, phases, current_phase }: Schedule,
      { until, priceId, key }: { until: number; priceId: string; key: string },
    ): Promise<void> {
      const what = `subscriptionSchedules.update ${id}`;
      const now = phases.find(({ start_date }) => start_date === current_phase?.start_date);
      if (!now) throw stripeError('malformed', what);
      const { items, start_date, trial_end } = now;
      const trial = trial_end == null ? {} : { trial_end };
      const says: Stripe.SubscriptionScheduleUpdateParams = {
        end_behavior: 'release',
        proration_behavior: 'none',
        phases: [
          { items, start_date, end_date: until, ...trial },
          {
            items: [{ price: priceId, quantity: 1 }],
            duration: { interval: 'month', interval_count: 1 },
            proration_behavior: 'none',
          },
        ],
      };
      const options = { idempotencyKey: keyOf(key, `phases/${id}`, says) };
      await ask(what, (stripe) => stripe.subscriptionSchedules.update(id, says, options));
    },
  };
}

/** What takes back a wish to end, if there is one of the subscription itself. */
function goesOn(one: Subscription): Stripe.SubscriptionUpdateParams | undefined {
  if (one.cancel_at_period_end) return { cancel_at_period_end: false };
  // Somebody set a date, for example in the dashboard; that of a schedule goes with it.
  return one.cancel_at != null && !scheduleOf(one) ? { cancel_at: '' } : undefined;
}
