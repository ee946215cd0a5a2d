import { describe, expect, test } from 'vitest';

import { readForm } from '../../lab/stripe/form.ts';
import { DAY_MS, setUpStripe } from '../clients/stripe-world.ts';

describe('the API', () => {
  test.each([
    ['no key', {}, 401, undefined],
    ['a wrong key', { authorization: 'Bearer sk_test_wrong' }, 401, undefined],
    ['an old version', { 'stripe-version': '2020-08-27' }, 400, undefined],
  ])('refuses %s', async (_, headers: Record<string, string>, status, code) => {
    await using t = await setUpStripe();
    const right = { authorization: `Bearer ${t.lab.secretKey}` };
    const own = 'stripe-version' in headers ? { ...right, ...headers } : headers;

    const answer = await fetch(new URL('/v1/customers', t.lab.url), { headers: own });

    expect(answer.status).toBe(status);
    const { error } = (await answer.json()) as { error: { type: string; code?: string } };
    expect(error).toMatchObject({ type: 'invalid_request_error' });
    expect(error.code).toBe(code);
  });

  test('takes the key as the name of a user', async () => {
    await using t = await setUpStripe();
    const authorization = `Basic ${Buffer.from(`${t.lab.secretKey}:`).toString('base64')}`;

    const answer = await fetch(new URL('/v1/prices', t.lab.url), { headers: { authorization } });

    expect(await answer.json()).toMatchObject({ object: 'list', has_more: false });
  });

  test('says what is wrong with a request in the words of the original', async () => {
    await using t = await setUpStripe();
    const refused = async (call: Promise<unknown>) => {
      const error = (await call.catch((one: unknown) => one)) as Record<string, unknown>;
      return [error['statusCode'], error['code'], error['param']];
    };
    const { subscriptions, customers, prices } = t.sdk;

    expect([
      await refused(customers.create({ colour: 'red' } as object)),
      await refused(subscriptions.create({ items: [{ price: 'price_small' }] })),
      await refused(subscriptions.create({ customer: 'cus_1', items: [{ price: 'price_small' }] })),
      await refused(prices.retrieve('price_none')),
      await refused(subscriptions.list({ limit: 101 })),
      await refused(subscriptions.retrieve('sub_1')),
    ]).toEqual([
      [400, 'parameter_unknown', 'colour'],
      [400, 'parameter_missing', 'customer'],
      [400, 'resource_missing', 'customer'],
      [404, 'resource_missing', 'id'],
      [400, undefined, 'limit'],
      [404, 'resource_missing', 'id'],
    ]);
  });

  test('performs a request once for its key, and refuses another under it', async () => {
    await using t = await setUpStripe();
    const options = { idempotencyKey: 'key/1' };
    const first = await t.sdk.customers.create({ email: 'a@z.test' }, options);

    const again = await t.sdk.customers.create({ email: 'a@z.test' }, options);
    const other = t.sdk.customers.create({ email: 'b@z.test' }, options);

    expect(again.id).toBe(first.id);
    await expect(other).rejects.toMatchObject({ type: 'StripeIdempotencyError' });
    t.lab.advance(2 * DAY_MS);
    const later = await t.sdk.customers.create({ email: 'a@z.test' }, options);
    expect(later.id).not.toBe(first.id);
  });

  test('lists by pages in both directions', async () => {
    await using t = await setUpStripe();
    for (let i = 0; i < 5; i += 1) await t.sdk.customers.create({ email: `${i}@z.test` });

    const all = await Array.fromAsync(t.sdk.customers.list({ limit: 2 }), ({ email }) => email);
    const [, second, third] = (await t.sdk.customers.list()).data;
    const before = await t.sdk.customers.list({ ending_before: third?.id ?? '', limit: 1 });

    expect(all).toEqual(['4', '3', '2', '1', '0'].map((one) => `${one}@z.test`));
    expect(before.data).toMatchObject([{ id: second?.id }]);
    expect(before.has_more).toBe(true);
  });

  test('shows in full what it is asked to', async () => {
    await using t = await setUpStripe();
    const { subscriptionId, customerId } = await t.buy('u-1');

    const one = await t.sdk.subscriptions.retrieve(subscriptionId, {
      expand: ['customer', 'latest_invoice'],
    });

    expect(one).toMatchObject({ customer: { id: customerId }, latest_invoice: { status: 'paid' } });
    const wrong = t.sdk.subscriptions.retrieve(subscriptionId, { expand: ['colour'] });
    await expect(wrong).rejects.toThrow(/cannot be expanded/);
  });

  test('reads forms with brackets', () => {
    const form = readForm('items[0][price]=p&items[0][id]=i&expand[]=a&expand[]=b&m[k]=v&x=');

    expect(form).toEqual({
      items: [{ price: 'p', id: 'i' }],
      expand: ['a', 'b'],
      m: { k: 'v' },
      x: '',
    });
  });
});
