import { randomBytes } from 'node:crypto';

import { createActorSystem } from '../../src/actors/system.ts';
import { createEnrollment } from '../../src/http/billing/enroll.ts';
import { definitions, subscriptionOf } from '../../src/machines/index.ts';
import type { InstanceContext } from '../../src/machines/instance/types.ts';
import type {
  SubscriptionContext,
  SubscriptionEffect,
} from '../../src/machines/subscription/types.ts';
import { createBillingPerformers, createDecisions } from '../../src/queues/effects/billing.ts';
import type { SubscriptionPerformers } from '../../src/queues/effects/performer.ts';
import { createBillingSchedule } from '../../src/queues/workers/billing-schedule.ts';
import { createBillingTasks } from '../../src/queues/workers/billing-tasks.ts';
import { createEffectProcessor } from '../../src/queues/workers/perform-effects.ts';
import { createStripeEventsSweep } from '../../src/queues/workers/take-stripe-events.ts';
import { createEntitlementSweep } from '../../src/queues/workers/tell-entitlements.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { createAudit } from '../../src/storage/audit.ts';
import { createBillingRuns } from '../../src/storage/billing-runs.ts';
import { createCustomers } from '../../src/storage/customers.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createMails } from '../../src/storage/mails.ts';
import { createOutbox } from '../../src/storage/outbox.ts';
import { createPlans } from '../../src/storage/plans.ts';
import { createStripeEvents } from '../../src/storage/stripe-events.ts';
import { createSubscriptions } from '../../src/storage/subscriptions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { type StripeWorld, setUpStripe } from '../clients/stripe-world.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createFleetWriter, idOf } from '../support/fleet-writer.ts';
import { sellPlans } from '../support/plans.ts';
import { logger, performersOf } from './worker-world.ts';

const MINUTE_MS = 60_000;
const POLICY = { graceMs: 10 * MINUTE_MS, reminders: 3, keepMs: 60 * MINUTE_MS };

export const NEVER = new AbortController().signal;

type AnyPerform = (effect: SubscriptionEffect, how: { signal: AbortSignal }) => Promise<object>;

/** A worker with connections and a memory of its own. */
function createNode(database: TestDatabase, stripe: StripeWorld, opened: AsyncDisposableStack) {
  const { pool, prisma } = opened.use(
    openDatabase({ url: database.url, connectionsMax: 5, onError: () => {} }),
  );
  const store = createActorStore(pool);
  const nodeId = randomBytes(6).toString('hex');
  const actors = createActorSystem({ store, definitions, now: Date.now, nodeId });
  const outbox = createOutbox(pool);
  const [customers, subscriptions, plans] = [
    createCustomers(pool),
    createSubscriptions(pool),
    createPlans(prisma),
  ];
  const [events, runs, mails] = [
    createStripeEvents(pool),
    createBillingRuns(pool),
    createMails(pool),
  ];
  const client = stripe.connect();
  const parts = { stripe: client, plans, customers, subscriptions, events, runs, actors };
  const enroll = createEnrollment({ ...parts, policy: POLICY, now: Date.now });
  const sendMail = async (mail: Parameters<typeof mails.queue>[0]) =>
    void (await mails.queue(mail));
  const performers: SubscriptionPerformers = createBillingPerformers({
    ...{ ...parts, audit: createAudit(prisma), sendMail },
  });
  const tasks = createBillingTasks({
    ...{ ...parts, enroll, sendMail, now: stripe.lab.now, logger },
  });
  const tellEntitlements = createEntitlementSweep({
    ...parts,
    tellDecision: createDecisions(actors),
  });
  const process = createEffectProcessor({
    ...{ outbox, actors, settle: store.settle, leaseMs: MINUTE_MS, logger },
    performers: { ...performersOf({}), ...performers },
  });
  return {
    ...{ ...parts, enroll, tellEntitlements },
    run: createBillingSchedule({ runs, tasks, logger }),
    takeEvents: createStripeEventsSweep(parts),
    perform: (effect: SubscriptionEffect) =>
      (performers[effect.kind] as AnyPerform)(effect, { signal: NEVER }),
    /** As a worker would for a job of the queue; a job has five attempts. */
    process: (key: string, attemptsMade = 0) =>
      process({ data: { key }, attemptsMade, opts: { attempts: 5 } }, NEVER),
  };
}

export type BillingNode = ReturnType<typeof createNode>;

/** Customers of a stand-in of Stripe, and two workers of ours. Nothing happens by itself. */
export async function setUpBilling() {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createTestDatabase());
  const stripe = opened.use(await setUpStripe());
  await sellPlans(database);
  const fleet = createFleetWriter(database);
  const nodes = [
    createNode(database, stripe, opened),
    createNode(database, stripe, opened),
  ] as const;
  const [node] = nodes;
  const users = createUsers(database.prisma);
  const rows = async (text: string, values: unknown[] = []) =>
    (await database.pool.query(text, values)).rows;
  const closing = opened.move();
  return {
    ...{ database, stripe, lab: stripe.lab, nodes, node, fleet, rows },
    async addUser(id: string, role: 'user' | 'admin' = 'user'): Promise<void> {
      const email = `${id}@zpack.test`;
      await users.upsert({ id, email, username: id, displayName: null, role, passwordHash: '' });
    },
    /** A customer who pays for this, and of whom we know so. */
    async subscribe(userId: string, plan = 'small'): Promise<string> {
      await this.addUser(userId);
      const customerId = await node.enroll(userId);
      await stripe.buy(userId, `price_${plan}`);
      await this.look(userId);
      return customerId;
    },
    async subscriptionId(userId: string): Promise<string> {
      return (await this.contextOf(userId)).observed?.subscriptionId ?? '';
    },
    /** Stripe has told us something. */
    async look(userId: string): Promise<void> {
      await node.actors.tell(subscriptionOf(userId), { type: 'stripe.changed', why: 'test' });
      await this.drain('stripe.read');
    },
    async ends(userId: string): Promise<void> {
      await stripe.sdk.subscriptions.cancel(await this.subscriptionId(userId));
      await this.look(userId);
    },
    /** Buys again. */
    async returns(userId: string, plan = 'small'): Promise<void> {
      const { customerId: customer } = await this.contextOf(userId);
      await stripe.sdk.subscriptions.create({ customer, items: [{ price: `price_${plan}` }] });
      await this.look(userId);
    },
    ask: (userId: string, kind: 'upgrade' | 'downgrade' | 'keep', plan: string | null = null) =>
      node.actors.ask(subscriptionOf(userId), {
        ...{ type: `${kind}.requested`, operationId: `chg-${kind}`, requestedBy: userId },
        ...{ planId: plan, priceId: plan && `price_${plan}` },
      }),
    /** What is asked for and not done, of this kind or of all, the oldest first. */
    async effects(kind = '%') {
      return (await rows(
        'SELECT key, params FROM effect WHERE kind LIKE $1 ORDER BY created_at, key',
        [kind],
      )) as readonly { key: string; params: SubscriptionEffect }[];
    },
    /** The one of this kind. */
    async effect(kind: SubscriptionEffect['kind']) {
      const found = await this.effects(kind);
      if (!found[0] || found.length > 1) throw new Error(`${found.length} effects ${kind}`);
      return found[0];
    },
    /** Performs what is asked for, and what follows from it. */
    async drain(kind = '%', by: BillingNode = node): Promise<void> {
      for (;;) {
        const [next] = await this.effects(kind);
        if (!next) return;
        await by.process(next.key);
      }
    },
    async contextOf(userId: string): Promise<SubscriptionContext> {
      return (await node.actors.read(subscriptionOf(userId))).snapshot.context;
    },
    async standingOf(userId: string): Promise<string> {
      return (await node.subscriptions.find(userId))?.status ?? 'missing';
    },
    /** Instances that nothing happens to, unless it is told. */
    instances: (customerId: string, vmids: readonly number[]) =>
      fleet.create(vmids.map((vmid) => ({ vmid, customerId }))),
    async entitlementOf(vmid: number): Promise<InstanceContext['entitlement']> {
      const [row] = await rows('SELECT snapshot FROM container_instance WHERE vmid = $1', [vmid]);
      return row.snapshot.context.entitlement;
    },
    /** What an instance was told of this type. */
    told: async (vmid: number, type: string): Promise<number> =>
      (
        await rows(`SELECT FROM journal WHERE instance_id = $1 AND event ->> 'type' = $2`, [
          idOf(vmid),
          type,
        ])
      ).length,
    /** As if nobody had been enrolled; their customers at Stripe stay. */
    loseActors: () => rows('DELETE FROM subscription_journal; DELETE FROM subscription'),
    /** Steps it only from release `version` on. */
    belongTo: (table: 'container_instance' | 'subscription', id: string, version: number) =>
      rows(`UPDATE ${table} SET machine_version = $2 WHERE id = $1`, [id, version]),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
