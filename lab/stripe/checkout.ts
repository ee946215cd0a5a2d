import { z } from 'zod';

import { type Account, findCustomer, findPrice } from './account.ts';
import { DAY_S } from './calendar.ts';
import { check, fields } from './form.ts';
import { pageOf, paging } from './lists.ts';
import { declined, invalid, missing } from './refusal.ts';
import type { Route } from './route.ts';
import type { Card, Session } from './state.ts';
import { createSubscription } from './subscriptions.ts';
import { customerView, sessionView } from './views.ts';

const ordered = z.strictObject({
  mode: z.literal('subscription'),
  customer: fields.text,
  line_items: z
    .array(z.strictObject({ price: fields.text, quantity: z.literal('1').default('1') }))
    .length(1),
  success_url: z.url(),
  cancel_url: z.url().optional(),
  client_reference_id: fields.text.optional(),
  metadata: fields.metadata.default({}),
  subscription_data: z
    .strictObject({
      trial_period_days: fields.whole.min(1).max(730).optional(),
      metadata: fields.metadata.optional(),
    })
    .optional(),
  expand: fields.expand,
});

const listed = paging.extend({
  customer: fields.text.optional(),
  status: z.enum(['open', 'complete', 'expired']).optional(),
});

export function findSession({ state, now }: Account, id: string): Session {
  const found = state.sessions.find((one) => one.id === id);
  if (!found) throw missing('checkout.session', id);
  if (found.status === 'open' && now() >= found.expiresAt) found.status = 'expired';
  return found;
}

/**
 * What the button on the page does. A card that is declined leaves the page open; a page that is
 * paid stays paid once.
 */
export function paySession(account: Account, session: Session, card: Exclude<Card, 'none'>): void {
  if (session.status === 'complete') return;
  if (session.status === 'expired') throw invalid('This page has expired.');
  if (card === 'declining') throw declined();
  const customer = findCustomer(account, session.customer);
  customer.card = card;
  const { price, trialDays, metadata } = session;
  const order = { customer: customer.id, price, trialDays, metadata };
  session.subscription = createSubscription(account, order).id;
  session.status = 'complete';
  account.emit('checkout.session.completed', sessionView(account, session));
}

export function setCard(account: Account, customerId: string, card: Card): void {
  const customer = findCustomer(account, customerId);
  const { invoice_settings: before } = customerView(customer);
  customer.card = card;
  account.emit('customer.updated', customerView(customer), { invoice_settings: before });
}

export const checkoutRoutes: readonly Route[] = [
  {
    on: 'POST /v1/checkout/sessions',
    run(account, { form }) {
      const order = check(ordered, form);
      findCustomer(account, order.customer, 'customer');
      const [item] = order.line_items;
      const one: Session = {
        id: account.newId('cs_test'),
        created: account.now(),
        customer: order.customer,
        price: findPrice(account, item?.price ?? '', 'line_items[0][price]').id,
        successUrl: order.success_url,
        cancelUrl: order.cancel_url ?? null,
        status: 'open',
        subscription: null,
        expiresAt: account.now() + DAY_S,
        trialDays: order.subscription_data?.trial_period_days ?? null,
        reference: order.client_reference_id ?? null,
        metadata: order.metadata,
      };
      account.state.sessions.push(one);
      return sessionView(account, one);
    },
  },
  {
    on: 'GET /v1/checkout/sessions',
    run(account, { form }) {
      const { customer, status, ...page } = check(listed, form);
      const found = account.state.sessions
        .map(({ id }) => findSession(account, id))
        .filter((one) => customer === undefined || one.customer === customer)
        .filter((one) => status === undefined || one.status === status);
      const view = (one: Session) => sessionView(account, one);
      return pageOf(found, { ...page, url: '/v1/checkout/sessions', view });
    },
  },
  {
    on: 'GET /v1/checkout/sessions/:id',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      return sessionView(account, findSession(account, id));
    },
  },
  {
    on: 'POST /v1/checkout/sessions/:id/expire',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      const one = findSession(account, id);
      if (one.status !== 'open') throw invalid('Only Checkout Sessions that are open can expire.');
      one.status = 'expired';
      account.emit('checkout.session.expired', sessionView(account, one));
      return sessionView(account, one);
    },
  },
];
