import { z } from 'zod';

import { type Account, findCustomer, findInvoice, findPrice } from './account.ts';
import { check, fields } from './form.ts';
import { endSubscription, isOver, setStatus } from './lifecycle.ts';
import { pageOf, paging } from './lists.ts';
import { declined, invalid } from './refusal.ts';
import type { Route } from './route.ts';
import type { Invoice, Line, Subscription } from './state.ts';
import { invoiceView } from './views.ts';

/** What a period of it costs. */
export function periodLine(account: Account, one: Subscription): Line {
  const { amount, name } = findPrice(account, one.price);
  const isTrial = one.status === 'trialing';
  return {
    id: account.newId('il'),
    amount: isTrial ? 0 : amount,
    description: isTrial ? `Trial period for ${name}` : `1 × ${name}`,
    price: one.price,
    start: one.periodStart,
    end: one.periodEnd,
    isProration: false,
  };
}

const totalOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { amount }) => sum + amount, 0);

/** What would have to be paid at once for these, after the customer's credit. */
export function amountDue(account: Account, customerId: string, lines: readonly Line[]): number {
  const { balance } = findCustomer(account, customerId);
  return Math.max(0, totalOf(lines) + Math.min(balance, 0));
}

/** Makes an invoice and tries to have it paid. While nothing is paid any more, it stays a draft. */
export function bill(
  account: Account,
  one: Subscription,
  { reason, lines }: { reason: Invoice['reason']; lines: readonly Line[] },
): Invoice {
  const customer = findCustomer(account, one.customer);
  const total = totalOf(lines);
  const due = amountDue(account, one.customer, lines);
  const startingBalance = customer.balance;
  customer.balance += total < 0 ? total : total - due;
  const invoice: Invoice = {
    id: account.newId('in'),
    created: account.now(),
    customer: one.customer,
    subscription: one.id,
    status: 'draft',
    reason,
    lines: [...lines],
    startingBalance,
    endingBalance: customer.balance,
    amountDue: due,
    amountPaid: 0,
    attempts: 0,
    nextAttempt: null,
    paidAt: null,
  };
  account.state.invoices.push(invoice);
  one.latestInvoice = invoice.id;
  account.emit('invoice.created', invoiceView(account, invoice));
  if (one.status === 'unpaid') return invoice;
  finalize(account, invoice);
  attempt(account, invoice);
  return invoice;
}

function finalize(account: Account, invoice: Invoice): void {
  invoice.status = 'open';
  account.emit('invoice.finalized', invoiceView(account, invoice));
}

/** False if the card was declined. */
export function attempt(account: Account, invoice: Invoice): boolean {
  const { card } = findCustomer(account, invoice.customer);
  if (invoice.status === 'draft') finalize(account, invoice);
  if (invoice.amountDue > 0) invoice.attempts += 1;
  if (invoice.amountDue > 0 && card !== 'good') {
    fail(account, invoice);
    return false;
  }
  invoice.status = 'paid';
  invoice.amountPaid = invoice.amountDue;
  invoice.nextAttempt = null;
  invoice.paidAt = account.now();
  for (const type of ['invoice.paid', 'invoice.payment_succeeded'])
    account.emit(type, invoiceView(account, invoice));
  const subscription = payer(account, invoice);
  const isBehind = ['incomplete', 'past_due', 'unpaid'].includes(subscription?.status ?? '');
  if (subscription && isBehind && subscription.latestInvoice === invoice.id)
    setStatus(account, subscription, 'active');
  return true;
}

function fail(account: Account, invoice: Invoice): void {
  const { retries, retryAfterS, afterRetries } = account.rules;
  const isLast = invoice.attempts > retries || invoice.reason === 'subscription_create';
  invoice.nextAttempt = isLast ? null : account.now() + retryAfterS;
  account.emit('invoice.payment_failed', invoiceView(account, invoice));
  const subscription = payer(account, invoice);
  // One that was never paid for is not behind with it.
  if (!subscription || isOver(subscription) || invoice.reason === 'subscription_create') return;
  if (!isLast) {
    if (subscription.status !== 'unpaid') setStatus(account, subscription, 'past_due');
  } else if (afterRetries === 'cancel') endSubscription(account, subscription, 'payment_failed');
  else setStatus(account, subscription, 'unpaid');
}

const payer = ({ state }: Account, invoice: Invoice): Subscription | undefined =>
  state.subscriptions.find(({ id }) => id === invoice.subscription);

/** Those that somebody still has to pay, the oldest first. */
export const openInvoices = ({ state }: Account, customerId: string): readonly Invoice[] =>
  state.invoices.filter(
    ({ customer, status }) => customer === customerId && (status === 'open' || status === 'draft'),
  );

const listed = paging.extend({
  customer: fields.text.optional(),
  subscription: fields.text.optional(),
  status: z.enum(['draft', 'open', 'paid', 'uncollectible', 'void']).optional(),
});
const plain = z.strictObject({ expand: fields.expand });

export const invoiceRoutes: readonly Route[] = [
  {
    on: 'GET /v1/invoices',
    run(account, { form }) {
      const { customer, subscription, status, ...page } = check(listed, form);
      const found = account.state.invoices.filter(
        (one) =>
          (customer === undefined || one.customer === customer) &&
          (subscription === undefined || one.subscription === subscription) &&
          (status === undefined || one.status === status),
      );
      const view = (one: Invoice) => invoiceView(account, one);
      return pageOf(found, { ...page, url: '/v1/invoices', view });
    },
  },
  {
    on: 'GET /v1/invoices/:id',
    run(account, { id, form }) {
      check(plain, form);
      return invoiceView(account, findInvoice(account, id));
    },
  },
  {
    on: 'POST /v1/invoices/:id/pay',
    run(account, { id, form }) {
      check(plain, form);
      const invoice = findInvoice(account, id);
      if (invoice.status === 'paid')
        throw invalid('Invoice is already paid', undefined, 'invoice_already_paid');
      if (!attempt(account, invoice)) throw declined();
      return invoiceView(account, invoice);
    },
  },
];
