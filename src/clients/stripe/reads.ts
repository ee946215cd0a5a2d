import type Stripe from 'stripe';

import type { Ask } from './changes.ts';
import {
  chooseSubscription,
  isLiving,
  type ObservedSubscription,
  observe,
  readListed,
  readOwner,
  readSubscription,
} from './observe.ts';

export interface SubscriptionReads {
  /** The one that lives (or the latest that ended), with what is pending; null: never had one. */
  readSubscription(customerId: string, signal?: AbortSignal): Promise<ObservedSubscription | null>;
  /** Everybody who has or had a subscription, once each, read page by page. */
  listCustomersWithSubscriptions(signal?: AbortSignal): AsyncIterable<{ customerId: string }>;
}

export function createReads(
  askWith: (signal?: AbortSignal) => Ask,
  limit: number,
): SubscriptionReads {
  /** Every one there is, whatever its state, the newest first. */
  async function* list(
    { what, ...filter }: Stripe.SubscriptionListParams & { readonly what: string },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<{ readonly id: string }> {
    for (let after: { starting_after?: string } = {}; ; ) {
      const says = { ...filter, ...after, status: 'all', limit };
      const answer = await askWith(signal)(what, (stripe) => stripe.subscriptions.list(says));
      const { data, has_more } = readListed(what, answer);
      yield* data;
      const last = data.at(-1);
      if (!has_more || !last) return;
      after = { starting_after: last.id };
    }
  }

  return {
    async readSubscription(customer, signal) {
      const what = `subscriptions.list ${customer}`;
      const found = await Array.fromAsync(
        list({ what, customer, expand: ['data.schedule'] }, signal),
        (one) => readSubscription(what, one),
      );
      const chosen = chooseSubscription(found);
      if (!chosen) return null;
      const others = found.filter((one) => one !== chosen && isLiving(one)).length;
      return { ...observe(chosen), ...(others > 0 && { others }) };
    },
    async *listCustomersWithSubscriptions(signal) {
      const what = 'subscriptions.list';
      const seen = new Set<string>();
      for await (const one of list({ what }, signal)) {
        const customerId = readOwner(what, one);
        if (seen.has(customerId)) continue;
        seen.add(customerId);
        yield { customerId };
      }
    },
  };
}
