import { randomBytes } from 'node:crypto';

import { missing } from './refusal.ts';
import type { Customer, Event, Invoice, Schedule, State, Subscription } from './state.ts';

/** What a price costs a month, in cents. */
export interface Price {
  readonly id: string;
  readonly product: string;
  readonly name: string;
  readonly amount: number;
}

export interface Rules {
  /** How often a payment that failed is tried again by itself, and after how long each time. */
  readonly retries: number;
  readonly retryAfterS: number;
  /** What becomes of a subscription when all of them failed. */
  readonly afterRetries: 'cancel' | 'unpaid';
}

/** Everything of one account at Stripe, for those who change it. */
export interface Account {
  readonly state: State;
  readonly rules: Rules;
  readonly prices: readonly Price[];
  /** Unix seconds, by the account's own clock. */
  now(): number;
  newId(prefix: string): string;
  /** Where a page of ours is found. */
  pageUrl(path: string): string;
  emit(type: string, object: object, previous?: object): void;
}

export const newId = (prefix: string): string => `${prefix}_${randomBytes(12).toString('hex')}`;

export function eventOf(
  { now }: Pick<Account, 'now'>,
  { type, object, previous }: { type: string; object: object; previous?: object | undefined },
): Event {
  // A snapshot: what happens to the object later is another event's.
  const copy = (one: object) => structuredClone(one) as Record<string, unknown>;
  return {
    id: newId('evt'),
    created: now(),
    type,
    object: copy(object),
    previous: previous ? copy(previous) : null,
  };
}

function find<T extends { readonly id: string }>(
  all: readonly T[],
  { what, id, param }: { what: string; id: string; param?: string | undefined },
): T {
  const found = all.find((one) => one.id === id);
  if (!found) throw missing(what, id, param);
  return found;
}

export const findCustomer = ({ state }: Account, id: string, param?: string): Customer =>
  find(state.customers, { what: 'customer', id, param });

export const findSubscription = ({ state }: Account, id: string, param?: string): Subscription =>
  find(state.subscriptions, { what: 'subscription', id, param });

export const findSchedule = ({ state }: Account, id: string): Schedule =>
  find(state.schedules, { what: 'subscription schedule', id });

export const findInvoice = ({ state }: Account, id: string): Invoice =>
  find(state.invoices, { what: 'invoice', id });

export const findPrice = ({ prices }: Account, id: string, param?: string): Price =>
  find(prices, { what: 'price', id, param });
