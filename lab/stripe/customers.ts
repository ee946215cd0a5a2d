import { z } from 'zod';

import { findCustomer, findPrice } from './account.ts';
import { check, fields } from './form.ts';
import { pageOf, paging } from './lists.ts';
import { missing } from './refusal.ts';
import type { Route } from './route.ts';
import type { Customer } from './state.ts';
import { customerView, eventView, priceView, productView } from './views.ts';

const contact = z.strictObject({
  email: fields.erasable.optional(),
  name: fields.erasable.optional(),
  metadata: fields.metadata.default({}),
  expand: fields.expand,
});
const plain = z.strictObject({ expand: fields.expand });

export const customerRoutes: readonly Route[] = [
  {
    on: 'POST /v1/customers',
    run(account, { form }) {
      const { email = null, name = null, metadata } = check(contact, form);
      const own = { id: account.newId('cus'), created: account.now() };
      const one: Customer = { ...own, email, name, metadata, card: 'none', balance: 0 };
      account.state.customers.push(one);
      account.emit('customer.created', customerView(one));
      return customerView(one);
    },
  },
  {
    on: 'GET /v1/customers',
    run(account, { form }) {
      const { email, ...page } = check(paging.extend({ email: fields.text.optional() }), form);
      const found = account.state.customers.filter((one) => !email || one.email === email);
      return pageOf(found, { ...page, url: '/v1/customers', view: customerView });
    },
  },
  {
    on: 'GET /v1/customers/:id',
    run(account, { id, form }) {
      check(plain, form);
      return customerView(findCustomer(account, id));
    },
  },
  {
    on: 'POST /v1/customers/:id',
    run(account, { id, form }) {
      const one = findCustomer(account, id);
      const { email = one.email, name = one.name, metadata } = check(contact, form);
      const { email: oldEmail, name: oldName } = one;
      Object.assign(one, { email, name, metadata: { ...one.metadata, ...metadata } });
      const previous = {
        ...(email !== oldEmail && { email: oldEmail }),
        ...(name !== oldName && { name: oldName }),
      };
      if (Object.keys(previous).length > 0)
        account.emit('customer.updated', customerView(one), previous);
      return customerView(one);
    },
  },
];

/** What there is to buy, and what has happened. */
export const catalogueRoutes: readonly Route[] = [
  {
    on: 'GET /v1/prices',
    run(account, { form }) {
      const page = check(paging.extend({ active: fields.truth.optional() }), form);
      return pageOf(account.prices, { ...page, url: '/v1/prices', view: priceView });
    },
  },
  {
    on: 'GET /v1/prices/:id',
    run(account, { id, form }) {
      check(plain, form);
      return priceView(findPrice(account, id));
    },
  },
  {
    on: 'GET /v1/products/:id',
    run(account, { id, form }) {
      check(plain, form);
      const found = account.prices.find(({ product }) => product === id);
      if (!found) throw missing('product', id);
      return productView(found);
    },
  },
  {
    on: 'GET /v1/events',
    run(account, { form }) {
      const { type, ...page } = check(paging.extend({ type: fields.text.optional() }), form);
      const found = account.state.events.filter((one) => !type || one.type === type);
      return pageOf(found, { ...page, url: '/v1/events', view: eventView });
    },
  },
  {
    on: 'GET /v1/events/:id',
    run(account, { id, form }) {
      check(plain, form);
      const found = account.state.events.find((one) => one.id === id);
      if (!found) throw missing('event', id);
      return eventView(found);
    },
  },
];
