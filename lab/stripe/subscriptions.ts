import { z } from 'zod';

import { type Account, findCustomer, findPrice, findSubscription } from './account.ts';
import { addMonths, DAY_S } from './calendar.ts';
import { check, fields } from './form.ts';
import { amountDue, bill, periodLine } from './invoices.ts';
import { endSubscription, isOver, scheduleOf, tellUpdate } from './lifecycle.ts';
import { pageOf, paging } from './lists.ts';
import { prorate } from './prorations.ts';
import { declined, invalid } from './refusal.ts';
import type { Route } from './route.ts';
import type { Line, ProrationBehaviour, Subscription } from './state.ts';
import { subscriptionView } from './views.ts';

export interface Order {
  readonly customer: string;
  readonly price: string;
  readonly trialDays: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

export function createSubscription(account: Account, order: Order): Subscription {
  const now = account.now();
  const isPaid = findCustomer(account, order.customer).card === 'good';
  const trialEnd = order.trialDays ? now + order.trialDays * DAY_S : null;
  const one: Subscription = {
    id: account.newId('sub'),
    created: now,
    customer: order.customer,
    item: account.newId('si'),
    price: order.price,
    status: trialEnd !== null ? 'trialing' : isPaid ? 'active' : 'incomplete',
    anchor: trialEnd ?? now,
    periodStart: now,
    periodEnd: trialEnd ?? addMonths(now, 1),
    trialStart: trialEnd === null ? null : now,
    trialEnd,
    isTrialAnnounced: false,
    cancelAtPeriodEnd: false,
    cancelAt: null,
    canceledAt: null,
    endedAt: null,
    endReason: null,
    schedule: null,
    latestInvoice: null,
    pendingLines: [],
    metadata: { ...order.metadata },
  };
  account.state.subscriptions.push(one);
  account.emit('customer.subscription.created', subscriptionView(account, one));
  bill(account, one, { reason: 'subscription_create', lines: [periodLine(account, one)] });
  return one;
}

/** What a change of price at this moment gives back and costs; nothing while nothing is paid. */
export function prorationOf(account: Account, one: Subscription, price: string): readonly Line[] {
  const at = account.now();
  if (one.status === 'trialing' || at >= one.periodEnd) return [];
  const from = findPrice(account, one.price);
  const to = findPrice(account, price);
  return prorate(
    {
      from: { ...from, price: from.id },
      to: { ...to, price: to.id },
      periodStart: one.periodStart,
      periodEnd: one.periodEnd,
      at,
    },
    () => account.newId('il'),
  );
}

export function changePrice(
  account: Account,
  one: Subscription,
  { price, proration }: { price: string; proration: ProrationBehaviour },
): void {
  if (price === one.price) return;
  const lines = proration === 'none' ? [] : prorationOf(account, one, price);
  tellUpdate(account, one, () => {
    one.price = price;
    if (proration === 'create_prorations') one.pendingLines.push(...lines);
  });
  const schedule = scheduleOf(account, one);
  const phase = schedule?.phases[schedule.present];
  if (phase) phase.price = price;
  if (proration !== 'always_invoice' || lines.length === 0) return;
  bill(account, one, { reason: 'subscription_update', lines: [...one.pendingLines, ...lines] });
  one.pendingLines = [];
}

const proration = z.enum(['always_invoice', 'create_prorations', 'none']);
const ordered = z.strictObject({
  customer: fields.text,
  items: z
    .array(z.strictObject({ price: fields.text, quantity: z.literal('1').optional() }))
    .length(1),
  trial_period_days: fields.whole.min(1).max(730).optional(),
  metadata: fields.metadata.default({}),
  expand: fields.expand,
});
const changed = z.strictObject({
  items: z
    .array(
      z.strictObject({
        id: fields.text.optional(),
        price: fields.text.optional(),
        quantity: z.literal('1').optional(),
      }),
    )
    .length(1)
    .optional(),
  proration_behavior: proration.default('create_prorations'),
  payment_behavior: z.enum(['allow_incomplete', 'error_if_incomplete']).default('allow_incomplete'),
  cancel_at_period_end: fields.truth.optional(),
  cancel_at: z.union([fields.whole, z.literal('').transform(() => null)]).optional(),
  metadata: fields.metadata.optional(),
  expand: fields.expand,
});
type Changed = z.output<typeof changed>;

export function updateSubscription(account: Account, one: Subscription, form: Changed): void {
  const { items, cancel_at_period_end: isEnding, cancel_at: cancelAt } = form;
  if (isOver(one) && (items || isEnding !== undefined || cancelAt !== undefined))
    throw invalid('A canceled subscription can only update its cancellation_details and metadata.');
  if (one.schedule && (isEnding !== undefined || cancelAt !== undefined))
    throw invalid(
      `The subscription is managed by the subscription schedule \`${one.schedule}\`, and updating any cancelation behavior directly is not allowed. Please update the schedule instead.`,
    );
  const price = wantedPrice(account, one, items?.[0]);
  const { proration_behavior: behaviour, payment_behavior: paying } = form;
  if (price !== one.price && behaviour === 'always_invoice' && paying === 'error_if_incomplete') {
    const lines = [...one.pendingLines, ...prorationOf(account, one, price)];
    const { card } = findCustomer(account, one.customer);
    if (amountDue(account, one.customer, lines) > 0 && card !== 'good') throw declined();
  }
  tellUpdate(account, one, () => {
    if (isEnding !== undefined) one.cancelAtPeriodEnd = isEnding;
    if (cancelAt !== undefined) one.cancelAt = cancelAt;
    const isGoing = !one.cancelAtPeriodEnd && one.cancelAt === null;
    if (isEnding !== undefined || cancelAt !== undefined) {
      one.canceledAt = isGoing ? null : account.now();
      one.endReason = isGoing ? null : 'cancellation_requested';
    }
    Object.assign(one.metadata, form.metadata);
  });
  changePrice(account, one, { price, proration: behaviour });
}

type Item = NonNullable<Changed['items']>[number];

function wantedPrice(account: Account, one: Subscription, item: Item | undefined): string {
  if (!item) return one.price;
  // The original would add a second item, which nobody here has asked for.
  if (item.id === undefined) throw invalid('This account keeps one item each.', 'items[0][id]');
  if (item.id !== one.item)
    throw invalid(`No such subscription item: '${item.id}'`, 'items[0][id]', 'resource_missing');
  return item.price === undefined
    ? one.price
    : findPrice(account, item.price, 'items[0][price]').id;
}

const STATUSES = [
  'active',
  'all',
  'canceled',
  'ended',
  'incomplete',
  'incomplete_expired',
] as const;
const listed = paging.extend({
  customer: fields.text.optional(),
  price: fields.text.optional(),
  status: z.enum([...STATUSES, 'past_due', 'paused', 'trialing', 'unpaid']).optional(),
});

function hasStatus(one: Subscription, wanted: z.output<typeof listed>['status']): boolean {
  if (wanted === undefined) return one.status !== 'canceled';
  if (wanted === 'all') return true;
  return wanted === 'ended' ? isOver(one) : one.status === wanted;
}

export const subscriptionRoutes: readonly Route[] = [
  {
    on: 'POST /v1/subscriptions',
    run(account, { form }) {
      const { customer, items, trial_period_days, metadata } = check(ordered, form);
      findCustomer(account, customer, 'customer');
      const { id: price } = findPrice(account, items[0]?.price ?? '', 'items[0][price]');
      const trialDays = trial_period_days ?? null;
      const one = createSubscription(account, { customer, price, trialDays, metadata });
      return subscriptionView(account, one);
    },
  },
  {
    on: 'GET /v1/subscriptions',
    run(account, { form }) {
      const { customer, price, status, ...page } = check(listed, form);
      if (customer !== undefined) findCustomer(account, customer, 'customer');
      const found = account.state.subscriptions.filter(
        (one) =>
          (customer === undefined || one.customer === customer) &&
          (price === undefined || one.price === price) &&
          hasStatus(one, status),
      );
      const view = (one: Subscription) => subscriptionView(account, one);
      return pageOf(found, { ...page, url: '/v1/subscriptions', view });
    },
  },
  {
    on: 'GET /v1/subscriptions/:id',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      return subscriptionView(account, findSubscription(account, id));
    },
  },
  {
    on: 'POST /v1/subscriptions/:id',
    run(account, { id, form }) {
      const one = findSubscription(account, id);
      updateSubscription(account, one, check(changed, form));
      return subscriptionView(account, one);
    },
  },
  {
    on: 'DELETE /v1/subscriptions/:id',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      const one = findSubscription(account, id);
      if (isOver(one)) throw invalid(`The subscription \`${id}\` has already ended.`);
      endSubscription(account, one, 'cancellation_requested');
      return subscriptionView(account, one);
    },
  },
];
