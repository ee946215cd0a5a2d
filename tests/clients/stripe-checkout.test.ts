import { expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { setUpStripe } from './stripe-world.ts';

const PAGES = { successUrl: 'https://portal.test/1', cancelUrl: 'https://portal.test/2' };

async function setUp() {
  const t = await setUpStripe();
  const customerId = await t.client.ensureCustomer({ userId: 'u', email: 'u@z.test', name: null });
  const other = t.connect();
  let count = 0;
  const open = (priceId = 'price_small', client = t.client) => {
    count += 1;
    return client.createCheckout({ customerId, priceId, ...PAGES, key: `order/${count}` });
  };
  const bought = async () => (await t.sdk.subscriptions.list({ customer: customerId })).data;
  return { ...t, other, open, bought, pay: (url = '') => t.submit(url, { card: 'good' }) };
}

test('two pages that were opened and both paid made two subscriptions', async () => {
  await using t = await setUp();

  const first = await t.open('price_small');
  const second = await t.open('price_large');
  const late = await t.pay(first?.url);
  const paid = await t.pay(second?.url);

  expect([late.status, paid.status]).toEqual([400, 303]);
  expect((await t.bought()).map(({ items }) => items.data[0]?.price.id)).toEqual(['price_large']);
});

test('pages that were opened at the same time are paid once, and not all of them are dead', async () => {
  await using t = await setUp();
  const clients = [t.client, t.other, t.client, t.other, t.client, t.other];

  const pages = await Promise.all(clients.map((client) => t.open('price_small', client)));
  const paid = await Promise.all(pages.map((page) => t.pay(page?.url)));

  const statuses = new Set(paid.map(({ status }) => status));
  expect([...statuses].filter((status) => status !== 303 && status !== 400)).toEqual([]);
  expect(statuses).toContain(303);
  expect(await t.bought()).toHaveLength(1);
});

test('a page that was paid before we heard of it was followed by another one', async () => {
  await using t = await setUp();
  const first = await t.open();
  await t.pay(first?.url);

  const second = await t.open();

  expect(second).toBeNull();
  const { data } = await t.sdk.checkout.sessions.list({ status: 'open' });
  expect(data).toEqual([]);
  expect(await t.bought()).toHaveLength(1);
});

test('whoever pays while another page is being opened has one subscription', async () => {
  await using t = await setUp();
  const first = await t.open();
  const path = /\/expire$/;
  const fault = t.lab.faults.plan({ kind: 'delay', ms: 100, method: 'POST', path });

  const opening = t.open();
  await until(() => fault.fired === 1, { what: 'the first page to be closed' });
  await t.pay(first?.url);

  expect(await opening).toBeNull();
  expect(fault.fired).toBe(1);
  expect(await t.bought()).toHaveLength(1);
});

test('whoever has left may buy again', async () => {
  await using t = await setUp();
  await t.pay((await t.open())?.url);
  for (const { id } of await t.bought()) await t.sdk.subscriptions.cancel(id);

  const page = await t.open();
  const paid = await t.pay(page?.url);

  expect(paid.status).toBe(303);
  expect(await t.bought()).toHaveLength(1);
});
