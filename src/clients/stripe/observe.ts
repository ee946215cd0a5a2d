/** What we read of Stripe's objects. Everything else in them is its own business. */
import { z } from 'zod';

import { stripeError } from './failure.ts';

export interface ObservedSubscription {
  readonly subscriptionId: string;
  /**
   * Stripe's word: incomplete, incomplete_expired, trialing, active, past_due, unpaid, canceled,
   * paused.
   */
  readonly status: string;
  readonly priceId: string;
  /** Unix ms. */
  readonly periodEnd: number;
  readonly trialEnd: number | null;
  /** What happens at the end of the period. `priceId` null: it ends. */
  readonly pending: { readonly priceId: string | null; readonly at: number } | null;
  /** How many live beside it, which only somebody at Stripe can have made. */
  readonly others?: number;
}

/** By its name, or the thing itself. */
const named = z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]);

const phase = z.object({
  start_date: z.number(),
  end_date: z.number(),
  trial_end: z.number().nullish(),
  items: z
    .array(
      z.object({
        price: named,
        quantity: z.number().default(1),
      }),
    )
    .min(1),
});
const schedule = z.object({
  id: z.string(),
  status: z.string(),
  end_behavior: z.string(),
  current_phase: z.object({ start_date: z.number(), end_date: z.number() }).nullable(),
  phases: z.array(phase),
});
export type Schedule = z.output<typeof schedule>;

const subscription = z.object({
  id: z.string(),
  status: z.string(),
  created: z.number(),
  cancel_at: z.number().nullish(),
  cancel_at_period_end: z.boolean(),
  trial_end: z.number().nullish(),
  // Since 2025 the period is the item's, and no longer the subscription's.
  items: z.object({
    data: z
      .tuple([
        z.object({
          id: z.string(),
          current_period_end: z.number(),
          price: z.object({ id: z.string() }),
        }),
      ])
      .rest(z.unknown()),
  }),
  schedule: schedule.nullish(),
});
export type Subscription = z.output<typeof subscription>;

/** A subscription that was asked for together with its schedule. */
export const readSubscription = (what: string, answer: unknown): Subscription =>
  read(subscription, what, answer);

export const readSchedule = (what: string, answer: unknown): Schedule =>
  read(schedule, what, answer);

const owned = z.object({ customer: named });
export const readOwner = (what: string, answer: unknown): string =>
  read(owned, what, answer).customer;

const page = z.object({ data: z.array(z.looseObject({ id: z.string() })), has_more: z.boolean() });
/** A part of a list; what its members are is for the reader to say. */
export const readListed = (what: string, answer: unknown): z.output<typeof page> =>
  read(page, what, answer);

const visited = z.object({ url: z.url() });
/** A page to which somebody is sent. */
export const readPage = (what: string, answer: unknown): { url: string } =>
  read(visited, what, answer);

const opened = visited.extend({ id: z.string() });
export const readOpened = (what: string, answer: unknown): z.output<typeof opened> =>
  read(opened, what, answer);

const created = z.object({ id: z.string().min(1) });
export const readId = (what: string, answer: unknown): string => read(created, what, answer).id;

function read<S extends z.ZodType>(schema: S, what: string, answer: unknown): z.output<S> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path, code }) => `${path.join('.')}: ${code}`);
  throw stripeError('malformed', what, { cause: new Error(places.join('; ').slice(0, 500)) });
}

export const itemOf = ({ items }: Subscription) => items.data[0];

/** A schedule that still decides what happens to its subscription. */
export const scheduleOf = ({ schedule: one }: Subscription): Schedule | undefined =>
  one && ['active', 'not_started'].includes(one.status) ? one : undefined;

export function observe(one: Subscription): ObservedSubscription {
  const { current_period_end: periodEnd, price } = itemOf(one);
  return {
    subscriptionId: one.id,
    status: one.status,
    priceId: price.id,
    periodEnd: periodEnd * 1000,
    trialEnd: one.trial_end == null ? null : one.trial_end * 1000,
    pending: isOver(one) ? null : pendingOf(one),
  };
}

function pendingOf(one: Subscription): ObservedSubscription['pending'] {
  const end = one.cancel_at ?? itemOf(one).current_period_end;
  if (one.cancel_at_period_end || one.cancel_at != null) return { priceId: null, at: end * 1000 };
  const plan = scheduleOf(one);
  if (!plan?.current_phase) return null;
  const { end_date: at } = plan.current_phase;
  const next = plan.phases.find(({ start_date }) => start_date >= at);
  if (next) return { priceId: next.items[0]?.price ?? null, at: at * 1000 };
  return plan.end_behavior === 'cancel' ? { priceId: null, at: at * 1000 } : null;
}

const OVER = ['canceled', 'incomplete_expired'];
export const isOver = ({ status }: Subscription): boolean => OVER.includes(status);

/**
 * From what counts least: what is paid for counts before what is behind, and what was never paid at
 * all hides nothing, not even what has ended.
 */
const RANKS = [
  ...['incomplete_expired', 'incomplete', 'canceled'],
  ...['paused', 'unpaid', 'past_due', 'trialing', 'active'],
];

/** Lives, and is or was paid for. */
export const isLiving = ({ status }: Subscription): boolean =>
  RANKS.indexOf(status) > RANKS.indexOf('canceled');

/** The one that counts; of two in the same state the latest. */
export function chooseSubscription(all: readonly Subscription[]): Subscription | undefined {
  const rankOf = ({ status }: Subscription) => RANKS.indexOf(status);
  return all.toSorted((a, b) => rankOf(b) - rankOf(a) || b.created - a.created)[0];
}
