import { inject } from 'vitest';

import { createActorSystem } from '../../src/actors/system.ts';
import { createEnrollment } from '../../src/http/billing/enroll.ts';
import { definitions } from '../../src/machines/index.ts';
import type { SubscriptionContext } from '../../src/machines/subscription/types.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createCustomers } from '../../src/storage/customers.ts';
import { createSubscriptions } from '../../src/storage/subscriptions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { DAY_MS, setUpStripe } from '../clients/stripe-world.ts';
import { startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { createFleetWriter } from '../support/fleet-writer.ts';
import { sellPlans } from '../support/plans.ts';
import { until } from '../support/until.ts';
import { CUSTOMERS } from './billing-lives.ts';

/** Nothing that waits for a payment comes to its end meanwhile, and nothing is found by comparing. */
const POLICY = { graceMs: DAY_MS, reminders: 3, keepMs: 30 * DAY_MS };
const SETTLE_MS = 30_000;

/** What must be the same at the end, however the events came. */
export interface Final {
  readonly standing: string;
  readonly plan: string | null;
  /** In days since the beginning. */
  readonly periodEnd: number | null;
  readonly pending: { readonly plan: string | null; readonly at: number } | null;
  readonly isSuspended: boolean;
}

/** Customers with a container each, a stand-in of Stripe, and nodes that a test starts. */
export async function startStorm() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const stripe = opened.use(await setUpStripe({ webhookRetryMs: 20 }));
  const { lab } = stripe;
  const world = opened.use(
    await startCrashWorld({
      ...{ database, redisUrl: inject('redisUrl'), programs: inject('programs') },
      environment: {
        ...{ STRIPE_URL: lab.url.href, STRIPE_SECRET_KEY: lab.secretKey },
        ...{ STRIPE_WEBHOOK_SECRET: lab.webhookSecret },
        ...{ BILLING_GRACE_MS: String(POLICY.graceMs), BILLING_RECONCILE_MS: String(DAY_MS) },
      },
    }),
  );
  await sellPlans(database);
  const { pool, prisma } = database;
  const rows = async (text: string) => (await pool.query(text)).rows;
  const actors = createActorSystem({
    ...{ store: createActorStore(pool), definitions, now: Date.now, nodeId: 'the-test' },
  });
  const subscriptions = createSubscriptions(pool);
  const enroll = createEnrollment({
    ...{ stripe: stripe.client, customers: createCustomers(pool), subscriptions, actors },
    ...{ policy: POLICY, now: Date.now },
  });
  const customerIds = new Map<string, string>();
  for (const id of CUSTOMERS) {
    const account = { email: `${id}@zpack.test`, username: id, displayName: null };
    await createUsers(prisma).upsert({ id, ...account, role: 'user', passwordHash: '' });
    customerIds.set(id, await enroll(id));
  }
  await createFleetWriter(database).create(
    CUSTOMERS.map((customerId, n) => ({ vmid: 5_000 + n, customerId })),
  );
  const begunAt = lab.now();
  const daysOf = (at: number) => Math.round((at - begunAt) / DAY_MS);
  const planOf = (price: string | null) => price?.replace('price_', '') ?? null;
  const closing = opened.move();

  return {
    ...{ stripe, lab, world, customerIds, rows },
    /** As our rows have it. */
    async ours(): Promise<Readonly<Record<string, Final>>> {
      const found = await rows(
        `SELECT s.user_id AS id, s.status, s.snapshot -> 'context' -> 'observed' AS observed,
           c.snapshot -> 'context' -> 'entitlement' AS entitlement
         FROM subscription s JOIN container_instance c ON c.customer_id = s.user_id ORDER BY 1`,
      );
      return Object.fromEntries(
        found.map(({ id, status: standing, observed, entitlement }) => {
          const seen: SubscriptionContext['observed'] = observed;
          const final: Final = {
            standing,
            plan: seen?.planId ?? null,
            periodEnd: seen && daysOf(seen.periodEnd),
            pending: seen?.pending
              ? { plan: seen.pending.planId, at: daysOf(seen.pending.at) }
              : null,
            isSuspended: entitlement.suspendedAt !== null,
          };
          return [id, final];
        }),
      );
    },
    /** As Stripe has it, and as that should be with us. */
    async theirs(): Promise<Readonly<Record<string, Final>>> {
      const all = [...customerIds].map(async ([id, customerId]): Promise<[string, Final]> => {
        const seen = await stripe.client.readSubscription(customerId);
        const { pending = null } = seen ?? {};
        return [
          id,
          {
            standing: seen?.status ?? 'none',
            plan: planOf(seen?.priceId ?? null),
            periodEnd: seen && daysOf(seen.periodEnd),
            pending: pending && { plan: planOf(pending.priceId), at: daysOf(pending.at) },
            isSuspended: seen?.status === 'canceled',
          },
        ];
      });
      return Object.fromEntries(await Promise.all(all));
    },
    /** Until all events have been told and acted on, and nothing is left to do. */
    settled: () =>
      until(
        async () => {
          if (lab.webhooks.waiting() > 0) return false;
          const [left] = await rows(
            `SELECT (SELECT count(*) FROM effect)
               + (SELECT count(*) FROM stripe_event WHERE state = 'received')
               + (SELECT count(*) FROM subscription WHERE snapshot -> 'value' ->> 'sync' <> 'idle')
               AS n`,
          );
          return Number(left.n) === 0;
        },
        { what: `everything to settle: ${world.nodes.notes().slice(-10)}`, timeoutMs: SETTLE_MS },
      ),
    /** Journals whose entries are not one for each version. */
    gaps: () =>
      rows(
        `SELECT s.id, s.version, count(j.version)::int AS entries, max(j.version) AS latest FROM (
           SELECT id, version FROM subscription UNION ALL SELECT id, version FROM container_instance
         ) s LEFT JOIN (
           SELECT instance_id, version FROM subscription_journal
           UNION ALL SELECT instance_id, version FROM journal
         ) j ON j.instance_id = s.id
         GROUP BY s.id, s.version
         HAVING count(DISTINCT j.version) <> count(j.version) OR max(j.version) <> s.version
           OR count(j.version) <> max(j.version) - min(j.version) + 1`,
      ),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

export type Storm = Awaited<ReturnType<typeof startStorm>>;
