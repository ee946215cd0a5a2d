/** Pages on which a subscription is bought. */
import type Stripe from 'stripe';

import { UpstreamError } from '../../errors.ts';
import { type Ask, keyOf } from './changes.ts';
import { readListed, readOpened } from './observe.ts';
import type { SubscriptionReads } from './reads.ts';

export interface CheckoutOrder {
  readonly customerId: string;
  readonly priceId: string;
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly key: string;
}

export interface Checkouts {
  /**
   * A page on which a subscription is bought; null: one is bought already. Whoever has several pages
   * in front of them can pay on the latest alone, so that nobody pays for two subscriptions.
   */
  createCheckout(order: CheckoutOrder): Promise<{ url: string } | null>;
}

/** What is paid for, or will be: a second one beside it would be paid for, too. */
const BOUGHT: readonly string[] = ['trialing', 'active', 'past_due', 'unpaid', 'paused'];
/** As many as Stripe lists at a time; we leave one open. */
const OPEN_MAX = 100;

export function createCheckouts(
  ask: Ask,
  { readSubscription }: Pick<SubscriptionReads, 'readSubscription'>,
): Checkouts {
  async function create({ customerId, priceId, successUrl, cancelUrl, key }: CheckoutOrder) {
    const what = `checkout.sessions.create ${customerId}`;
    const says: Stripe.Checkout.SessionCreateParams = {
      mode: 'subscription',
      customer: customerId,
      line_items: [{ price: priceId, quantity: 1 }],
      success_url: successUrl,
      cancel_url: cancelUrl,
    };
    const options = { idempotencyKey: keyOf(key, 'checkout', says) };
    const answer = await ask(what, (stripe) => stripe.checkout.sessions.create(says, options));
    return readOpened(what, answer);
  }

  /** The latest first. */
  async function listOpen(customerId: string): Promise<readonly { id: string; url: string }[]> {
    const what = `checkout.sessions.list ${customerId}`;
    const says = { customer: customerId, status: 'open', limit: OPEN_MAX } as const;
    const answer = await ask(what, (stripe) => stripe.checkout.sessions.list(says));
    return readListed(what, answer).data.map((one) => readOpened(what, one));
  }

  async function close(id: string): Promise<void> {
    try {
      await ask(`checkout.sessions.expire ${id}`, (stripe) => stripe.checkout.sessions.expire(id));
    } catch (error) {
      // It is closed already, or has just been paid on, which the subscription shows.
      if (!isRefusal(error)) throw error;
    }
  }

  return {
    async createCheckout(order) {
      const created = await create(order);
      // Of two requests at the same time both leave the same page open: the latest of all.
      const [latest = created, ...others] = await listOpen(order.customerId);
      for (const { id } of others) await close(id);
      // After that: what was paid on another page until now is a subscription by now.
      const has = await readSubscription(order.customerId);
      if (!has || !BOUGHT.includes(has.status)) return { url: latest.url };
      await close(latest.id);
      return null;
    },
  };
}

const isRefusal = (error: unknown): boolean =>
  error instanceof UpstreamError && error.reason === 'refused';
