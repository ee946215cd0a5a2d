import { type Account, findPrice, type Price } from './account.ts';
import type {
  Customer,
  Event,
  Invoice,
  Line,
  Schedule,
  Session,
  Subscription,
  Visit,
} from './state.ts';

/** Our records in the shape in which Stripe shows them, as far as anybody reads them. */

const CURRENCY = 'eur';
/** The version that the shapes below are of. */
export const API_VERSION = '2026-10-28.endive';

const listOf = (url: string, data: readonly object[]) => ({
  object: 'list',
  url,
  has_more: false,
  data,
});

export const customerView = (one: Customer) => ({
  id: one.id,
  object: 'customer',
  balance: one.balance,
  created: one.created,
  currency: CURRENCY,
  delinquent: false,
  email: one.email,
  invoice_settings: {
    default_payment_method: one.card === 'none' ? null : `pm_${one.card}_${one.id}`,
  },
  livemode: false,
  metadata: one.metadata,
  name: one.name,
});

export const priceView = ({ id, product, amount }: Price) => ({
  id,
  object: 'price',
  active: true,
  billing_scheme: 'per_unit',
  currency: CURRENCY,
  livemode: false,
  metadata: {},
  product,
  recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' },
  type: 'recurring',
  unit_amount: amount,
});

export const productView = ({ id, product, name }: Price) => ({
  id: product,
  object: 'product',
  active: true,
  default_price: id,
  livemode: false,
  metadata: {},
  name,
});

/** When it will end, by whatever wish. */
function endOf(account: Account, one: Subscription): number | null {
  if (one.cancelAtPeriodEnd) return one.periodEnd;
  const schedule = account.state.schedules.find(({ id }) => id === one.schedule);
  if (schedule?.endBehaviour === 'cancel') return schedule.phases.at(-1)?.end ?? null;
  return one.cancelAt;
}

export const subscriptionView = (account: Account, one: Subscription) => ({
  id: one.id,
  object: 'subscription',
  billing_cycle_anchor: one.anchor,
  billing_mode: { type: 'flexible' },
  cancel_at: endOf(account, one),
  cancel_at_period_end: one.cancelAtPeriodEnd,
  canceled_at: one.canceledAt,
  cancellation_details: { comment: null, feedback: null, reason: one.endReason },
  collection_method: 'charge_automatically',
  created: one.created,
  currency: CURRENCY,
  customer: one.customer,
  ended_at: one.endedAt,
  items: listOf(`/v1/subscription_items?subscription=${one.id}`, [
    {
      id: one.item,
      object: 'subscription_item',
      created: one.created,
      current_period_end: one.periodEnd,
      current_period_start: one.periodStart,
      metadata: {},
      price: priceView(findPrice(account, one.price)),
      quantity: 1,
      subscription: one.id,
    },
  ]),
  latest_invoice: one.latestInvoice,
  livemode: false,
  metadata: one.metadata,
  schedule: one.schedule,
  start_date: one.created,
  status: one.status,
  test_clock: null,
  trial_end: one.trialEnd,
  trial_start: one.trialStart,
});

const lineView = (account: Account, { subscription, id: invoice }: Invoice, line: Line) => ({
  id: line.id,
  object: 'line_item',
  amount: line.amount,
  currency: CURRENCY,
  description: line.description,
  invoice,
  livemode: false,
  metadata: {},
  parent: {
    type: 'subscription_item_details',
    invoice_item_details: null,
    subscription_item_details: {
      invoice_item: null,
      proration: line.isProration,
      proration_details: null,
      subscription,
      subscription_item: account.state.subscriptions.find(({ id }) => id === subscription)?.item,
    },
  },
  period: { start: line.start, end: line.end },
  pricing: {
    type: 'price_details',
    price_details: { price: line.price, product: findPrice(account, line.price).product },
  },
  quantity: 1,
  subtotal: line.amount,
});

export function invoiceView(account: Account, one: Invoice) {
  const total = one.lines.reduce((sum, { amount }) => sum + amount, 0);
  return {
    id: one.id,
    object: 'invoice',
    amount_due: one.amountDue,
    amount_paid: one.amountPaid,
    amount_remaining: one.amountDue - one.amountPaid,
    attempt_count: one.attempts,
    attempted: one.attempts > 0 || one.status === 'paid',
    billing_reason: one.reason,
    collection_method: 'charge_automatically',
    created: one.created,
    currency: CURRENCY,
    customer: one.customer,
    ending_balance: one.endingBalance,
    lines: listOf(
      `/v1/invoices/${one.id}/lines`,
      one.lines.map((line) => lineView(account, one, line)),
    ),
    livemode: false,
    metadata: {},
    next_payment_attempt: one.nextAttempt,
    parent: {
      type: 'subscription_details',
      quote_details: null,
      subscription_details: { metadata: {}, subscription: one.subscription },
    },
    period_end: one.created,
    period_start: one.created,
    starting_balance: one.startingBalance,
    status: one.status,
    status_transitions: { paid_at: one.paidAt },
    subtotal: total,
    total,
  };
}

export function scheduleView(one: Schedule) {
  const present = one.status === 'active' ? one.phases[one.present] : undefined;
  return {
    id: one.id,
    object: 'subscription_schedule',
    canceled_at: one.status === 'canceled' ? one.endedAt : null,
    completed_at: one.status === 'completed' ? one.endedAt : null,
    created: one.created,
    current_phase: present ? { start_date: present.start, end_date: present.end } : null,
    customer: one.customer,
    end_behavior: one.endBehaviour,
    livemode: false,
    metadata: one.metadata,
    phases: one.phases.map((phase) => ({
      add_invoice_items: [],
      currency: CURRENCY,
      discounts: [],
      end_date: phase.end,
      items: [{ metadata: {}, price: phase.price, quantity: 1 }],
      metadata: {},
      proration_behavior: phase.proration,
      start_date: phase.start,
      trial_end: phase.trialEnd,
    })),
    released_at: one.status === 'released' ? one.endedAt : null,
    released_subscription: one.releasedSubscription,
    status: one.status,
    subscription: one.subscription,
    test_clock: null,
  };
}

export const sessionView = ({ pageUrl }: Account, one: Session) => ({
  id: one.id,
  object: 'checkout.session',
  cancel_url: one.cancelUrl,
  client_reference_id: one.reference,
  created: one.created,
  currency: CURRENCY,
  customer: one.customer,
  expires_at: one.expiresAt,
  livemode: false,
  metadata: one.metadata,
  mode: 'subscription',
  payment_status: one.status === 'complete' ? 'paid' : 'unpaid',
  status: one.status,
  subscription: one.subscription,
  success_url: one.successUrl,
  url: one.status === 'open' ? pageUrl(`/pay/${one.id}`) : null,
});

export const visitView = ({ pageUrl }: Account, one: Visit) => ({
  id: one.id,
  object: 'billing_portal.session',
  configuration: 'bpc_lab',
  created: one.created,
  customer: one.customer,
  flow: null,
  livemode: false,
  locale: null,
  return_url: one.returnUrl,
  url: pageUrl(`/portal/${one.id}`),
});

export const eventView = (one: Event) => ({
  id: one.id,
  object: 'event',
  api_version: API_VERSION,
  created: one.created,
  data: {
    object: one.object,
    ...(one.previous && { previous_attributes: one.previous }),
  },
  livemode: false,
  pending_webhooks: 1,
  request: { id: null, idempotency_key: null },
  type: one.type,
});
