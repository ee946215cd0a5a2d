import { randomBytes } from 'node:crypto';
import { z } from 'zod';

/** What the stand-in remembers. Times are Unix seconds, as in Stripe's own objects. */

const texts = z.record(z.string(), z.string());
const time = z.number();
const maybeTime = time.nullable();

const card = z.enum(['none', 'good', 'declining']);
export type Card = z.output<typeof card>;

const customer = z.object({
  id: z.string(),
  created: time,
  email: z.string().nullable(),
  name: z.string().nullable(),
  metadata: texts,
  card,
  /** In cents; less than nothing is credit. */
  balance: z.number(),
});
export type Customer = z.output<typeof customer>;

const line = z.object({
  id: z.string(),
  amount: z.number(),
  description: z.string(),
  price: z.string(),
  start: time,
  end: time,
  isProration: z.boolean(),
});
export type Line = z.output<typeof line>;

const invoice = z.object({
  id: z.string(),
  created: time,
  customer: z.string(),
  subscription: z.string(),
  status: z.enum(['draft', 'open', 'paid', 'void']),
  reason: z.enum(['subscription_create', 'subscription_cycle', 'subscription_update']),
  lines: z.array(line),
  startingBalance: z.number(),
  endingBalance: z.number(),
  amountDue: z.number(),
  amountPaid: z.number(),
  attempts: z.number(),
  nextAttempt: maybeTime,
  paidAt: maybeTime,
});
export type Invoice = z.output<typeof invoice>;

const subscription = z.object({
  id: z.string(),
  created: time,
  customer: z.string(),
  item: z.string(),
  price: z.string(),
  status: z.enum([
    ...(['incomplete', 'incomplete_expired', 'trialing', 'active'] as const),
    ...(['past_due', 'unpaid', 'canceled'] as const),
  ]),
  /** Months are counted from here, so that the 31st comes back after February. */
  anchor: time,
  periodStart: time,
  periodEnd: time,
  trialStart: maybeTime,
  trialEnd: maybeTime,
  isTrialAnnounced: z.boolean(),
  cancelAtPeriodEnd: z.boolean(),
  cancelAt: maybeTime,
  canceledAt: maybeTime,
  endedAt: maybeTime,
  endReason: z.string().nullable(),
  schedule: z.string().nullable(),
  latestInvoice: z.string().nullable(),
  /** Prorations that the next invoice takes up. */
  pendingLines: z.array(line),
  metadata: texts,
});
export type Subscription = z.output<typeof subscription>;

const behaviour = z.enum(['always_invoice', 'create_prorations', 'none']);
export type ProrationBehaviour = z.output<typeof behaviour>;

const phase = z.object({
  start: time,
  end: time,
  price: z.string(),
  trialEnd: maybeTime,
  proration: behaviour,
});
export type Phase = z.output<typeof phase>;

const schedule = z.object({
  id: z.string(),
  created: time,
  customer: z.string(),
  subscription: z.string().nullable(),
  releasedSubscription: z.string().nullable(),
  status: z.enum(['active', 'canceled', 'completed', 'released']),
  endBehaviour: z.enum(['release', 'cancel']),
  phases: z.array(phase),
  /** Which of them it is in. */
  present: z.number(),
  endedAt: maybeTime,
  metadata: texts,
});
export type Schedule = z.output<typeof schedule>;

const session = z.object({
  id: z.string(),
  created: time,
  customer: z.string(),
  price: z.string(),
  successUrl: z.string(),
  cancelUrl: z.string().nullable(),
  status: z.enum(['open', 'complete', 'expired']),
  subscription: z.string().nullable(),
  expiresAt: time,
  trialDays: z.number().nullable(),
  reference: z.string().nullable(),
  metadata: texts,
});
export type Session = z.output<typeof session>;

const visit = z.object({
  id: z.string(),
  created: time,
  customer: z.string(),
  returnUrl: z.string().nullable(),
});
export type Visit = z.output<typeof visit>;

const event = z.object({
  id: z.string(),
  created: time,
  type: z.string(),
  object: z.record(z.string(), z.unknown()),
  previous: z.record(z.string(), z.unknown()).nullable(),
});
export type Event = z.output<typeof event>;

/** What an Idempotency-Key was answered with. */
const kept = z.object({
  key: z.string(),
  request: z.string(),
  at: time,
  status: z.number(),
  body: z.unknown(),
});

const undelivered = z.object({ event: z.string(), attempts: z.number() });
export type Undelivered = z.output<typeof undelivered>;

export const state = z.object({
  secretKey: z.string(),
  webhookSecret: z.string(),
  /** How far the clock of this account is ahead of everybody else's. */
  aheadMs: z.number(),
  customers: z.array(customer),
  subscriptions: z.array(subscription),
  schedules: z.array(schedule),
  invoices: z.array(invoice),
  sessions: z.array(session),
  visits: z.array(visit),
  events: z.array(event),
  kept: z.array(kept),
  undelivered: z.array(undelivered),
});
export type State = z.output<typeof state>;

export const freshState = (): State => ({
  secretKey: `sk_test_${randomBytes(24).toString('hex')}`,
  webhookSecret: `whsec_${randomBytes(24).toString('hex')}`,
  aheadMs: 0,
  customers: [],
  subscriptions: [],
  schedules: [],
  invoices: [],
  sessions: [],
  visits: [],
  events: [],
  kept: [],
  undelivered: [],
});
