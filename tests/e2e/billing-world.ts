import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startMailSink } from '../../lab/mail/sink.ts';
import { startStripe } from '../../lab/stripe/server.ts';
import { ALICE, type Client, startTestApp } from '../support/app.ts';
import { press } from '../support/form.ts';
import { sellPlans } from '../support/plans.ts';
import { until } from '../support/until.ts';

export const DAY_MS = 24 * 3_600_000;
export const WAIT = { prefer: 'wait=20' };

export const order = (memoryMiB = 512) => ({
  ...{ ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB },
});

/** The whole service, billed by a stand-in of Stripe, with mails to a server that keeps them. */
export async function startBillingWorld(environment: Readonly<Record<string, string>> = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-billing-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const stripe = opened.use(await startStripe({ dataDir: folder, webhookRetryMs: 20 }));
  const mail = opened.use(await startMailSink({ dataDir: folder }));
  const app = opened.use(
    await startTestApp({
      environment: {
        ...{ STRIPE_URL: stripe.url.href, STRIPE_SECRET_KEY: stripe.secretKey },
        ...{ STRIPE_WEBHOOK_SECRET: stripe.webhookSecret, STOP_TIMEOUT_S: '1' },
        ...{ SMTP_HOST: mail.host, SMTP_PORT: String(mail.port), SMTP_CA_FILE: mail.caFile },
        ...{ SMTP_USER: mail.user, SMTP_PASS: mail.password },
        ...{ BILLING_GRACE_MS: '1500', BILLING_REMINDERS: '2' },
        ...environment,
      },
    }),
  );
  await sellPlans(app.database);
  stripe.webhooks.sendTo(`${app.url}/api/billing/webhook`);
  const billingOf = async (client: Client) => (await client.call('GET', '/api/billing')).body;
  const closing = opened.move();
  return {
    ...{ app, stripe, mail, billingOf },
    /** Until what is known of a customer is like this. */
    settles: (client: Client, what: string, is: (billing: BillingBody) => boolean) =>
      until(
        async () => {
          const billing = await billingOf(client);
          return is(billing) && billing;
        },
        { what, timeoutMs: 15_000 },
      ),
    async buy(client: Client, plan: string): Promise<void> {
      const { body } = await client.call('POST', '/api/billing/checkout', { body: { plan } });
      await press(body.url, 'Pay');
      await this.settles(client, `${plan} to be paid`, ({ status }) => status === 'active');
    },
    /** As Stripe knows the user. */
    async customerOf(userId = ALICE): Promise<string> {
      const { rows } = await app.database.pool.query(
        'SELECT stripe_customer_id AS id FROM "user" WHERE id = $1',
        [userId],
      );
      return rows[0].id;
    },
    async create(client: Client): Promise<number> {
      const answer = await client.call('POST', '/api/instances', { body: order(), headers: WAIT });
      if (answer.body.operation?.state === 'succeeded') return answer.body.vmid;
      throw new Error(`the container was not made: ${JSON.stringify(answer.body)}`);
    },
    isOn: (vmid: number) =>
      app.proxmox.containers().find((one) => one.vmid === vmid)?.status === 'running',
    subjects: () => mail.mails().map(({ subject }) => subject),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
type BillingBody = any;
