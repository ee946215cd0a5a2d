/**
 * Subscriptions at Stripe, by its own SDK: https://docs.stripe.com/api. What a customer has is what
 * Stripe says; nothing is remembered here. Every POST may be repeated after a lost answer.
 */
import { type Ask, createChanges, keyOf, type SubscriptionChanges } from './changes.ts';
import { type Checkouts, createCheckouts } from './checkout.ts';
import { readEvent, type StripeEvent } from './events.ts';
import { stripeFailure } from './failure.ts';
import { readId, readPage } from './observe.ts';
import { createReads, type SubscriptionReads } from './reads.ts';
import { createTransport } from './transport.ts';

/** As many as Stripe allows. */
const PAGE_SIZE = 100;

export interface StripeClient
  extends SubscriptionChanges,
    SubscriptionReads,
    Checkouts,
    AsyncDisposable {
  /** Idempotent per user: whoever stores the answer within a day stores the one customer. */
  ensureCustomer(user: { userId: string; email: string; name: string | null }): Promise<string>;
  /** A page of the customer's own, for cards and invoices. */
  createPortalSession(visit: { customerId: string; returnUrl: string }): Promise<{ url: string }>;
  /** @throws InvalidInputError unless Stripe signed it in the last 300 seconds. */
  readEvent(rawBody: Buffer, signature: string | undefined): StripeEvent;
}

export interface StripeClientOptions {
  /** `https://api.stripe.com` */
  readonly baseUrl: URL;
  readonly secretKey: string;
  readonly webhookSecret: string;
  readonly timeoutMs: number;
  /** The clock of the world, Unix ms: an event may be only so old. */
  readonly now: () => number;
  readonly pageSize?: number;
}

export function createStripeClient(options: StripeClientOptions): StripeClient {
  const { webhookSecret: secret, now } = options;
  const transport = createTransport(options);

  const askWith =
    (signal?: AbortSignal): Ask =>
    async (what, call) => {
      signal?.throwIfAborted();
      try {
        return await call(transport.sdk(signal));
      } catch (error) {
        signal?.throwIfAborted();
        throw stripeFailure(what, error);
      }
    };
  const ask = askWith();
  const reads = createReads(askWith, options.pageSize ?? PAGE_SIZE);

  return {
    ...createChanges(ask),
    async ensureCustomer({ userId, email, name }) {
      // The key answers with the one customer only as long as the request never says anything else.
      const key = `customer/${userId}`;
      const what = 'customers.create';
      const created = await ask(what, (stripe) =>
        stripe.customers.create({ metadata: { userId } }, { idempotencyKey: key }),
      );
      const id = readId(what, created);
      const says = { email, ...(name === null ? {} : { name }) };
      const idempotencyKey = keyOf(key, 'contact', { id, ...says });
      await ask(`customers.update ${id}`, (stripe) =>
        stripe.customers.update(id, says, { idempotencyKey }),
      );
      return id;
    },
    async createPortalSession({ customerId, returnUrl }) {
      const what = `billingPortal.sessions.create ${customerId}`;
      const says = { customer: customerId, return_url: returnUrl };
      return readPage(
        what,
        await ask(what, (stripe) => stripe.billingPortal.sessions.create(says)),
      );
    },
    ...reads,
    ...createCheckouts(ask, reads),
    readEvent: (rawBody, signature) => readEvent({ secret, now: now() }, { rawBody, signature }),
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}
