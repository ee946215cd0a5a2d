import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Stripe from 'stripe';

import { type StripeLab, type StripeOptions, startStripe } from '../../lab/stripe/server.ts';
import { createStripeClient, type StripeClient } from '../../src/clients/stripe/client.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;

export interface StripeWorld extends AsyncDisposable {
  readonly lab: StripeLab;
  readonly client: StripeClient;
  /** Stripe's own SDK, for what our client has no call for. */
  readonly sdk: Stripe;
  readonly dataDir: string;
  connect(options?: {
    readonly timeoutMs?: number;
    readonly secretKey?: string;
    readonly pageSize?: number;
  }): StripeClient;
  /** Sends a form as a browser would. */
  submit(url: string, fields?: Readonly<Record<string, string>>): Promise<Response>;
  /** A customer who buys this price with a good card. */
  buy(userId: string, priceId?: string): Promise<{ customerId: string; subscriptionId: string }>;
  /** Keys under which something was done, on paths that match. */
  keys(path: RegExp): readonly string[];
}

export async function setUpStripe(
  options: Omit<Partial<StripeOptions>, 'dataDir'> = {},
): Promise<StripeWorld> {
  await using opened = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-stripe-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  const lab = opened.use(await startStripe({ dataDir, ...options }));
  const open: StripeWorld['connect'] = (own = {}) =>
    createStripeClient({
      baseUrl: lab.url,
      secretKey: lab.secretKey,
      webhookSecret: lab.webhookSecret,
      timeoutMs: 5_000,
      now: Date.now,
      ...own,
    });
  const client = opened.use(open());
  const sdk = new Stripe(lab.secretKey, {
    host: lab.url.hostname,
    port: lab.url.port,
    protocol: 'http',
    maxNetworkRetries: 0,
    telemetry: false,
  });
  const submit: StripeWorld['submit'] = (url, fields = {}) =>
    fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
  const closing = opened.move();
  return {
    lab,
    client,
    sdk,
    dataDir,
    connect: (own) => closing.use(open(own)),
    submit,
    async buy(userId, priceId = 'price_medium') {
      const customerId = await client.ensureCustomer({
        userId,
        email: `${userId}@zpack.test`,
        name: null,
      });
      const page = await client.createCheckout({
        customerId,
        priceId,
        successUrl: 'https://portal.test/done',
        cancelUrl: 'https://portal.test/plans',
        key: `order/${userId}`,
      });
      await submit(page?.url ?? '', { card: 'good' });
      const bought = await client.readSubscription(customerId);
      if (!bought) throw new Error('nothing was bought');
      return { customerId, subscriptionId: bought.subscriptionId };
    },
    keys: (path) =>
      lab
        .calls()
        .filter((call) => call.method === 'POST' && path.test(call.path) && !call.isReplay)
        .map(({ key }) => key ?? ''),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
