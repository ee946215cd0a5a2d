import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';

import { stripeFailure } from '../../src/clients/stripe/failure.ts';
import { setUpStripe } from './stripe-world.ts';

const ADA = { userId: 'u-ada', email: 'ada@zpack.test', name: 'Ada' };

/** Status, type and code of the answer, our reason, may it succeed later. */
const ANSWERS: readonly (readonly [number, string, string | undefined, string, boolean])[] = [
  [400, 'invalid_request_error', undefined, 'refused', false],
  [400, 'invalid_request_error', 'parameter_unknown', 'refused', false],
  [400, 'invalid_request_error', 'resource_missing', 'not_found', false],
  [400, 'invalid_request_error', 'rate_limit', 'rate_limited', true],
  [400, 'idempotency_error', undefined, 'refused', false],
  [400, 'unreadable', undefined, 'malformed', true],
  [401, 'invalid_request_error', undefined, 'unauthorized', false],
  [402, 'card_error', 'card_declined', 'refused', false],
  [402, 'invalid_request_error', undefined, 'refused', false],
  [403, 'invalid_request_error', undefined, 'unauthorized', false],
  [404, 'invalid_request_error', 'resource_missing', 'not_found', false],
  [404, 'invalid_request_error', undefined, 'not_found', false],
  [404, 'unreadable', undefined, 'malformed', true],
  [409, 'idempotency_error', 'idempotency_key_in_use', 'busy', true],
  [409, 'invalid_request_error', undefined, 'busy', true],
  [429, 'invalid_request_error', 'rate_limit', 'rate_limited', true],
  [429, 'invalid_request_error', 'lock_timeout', 'busy', true],
  [429, 'unreadable', undefined, 'rate_limited', true],
  [500, 'api_error', undefined, 'server_failed', true],
  [503, 'unreadable', undefined, 'server_failed', true],
  [200, 'unreadable', undefined, 'malformed', true],
  [302, 'unreadable', undefined, 'malformed', true],
];

test.each(ANSWERS)('%i %s with code %s is %s', (statusCode, type, code, reason, retryable) => {
  const said = { statusCode, type, message: 'in its words', ...(code && { code }) };
  const error = Stripe.errors.StripeError.generate(said as never);

  const failure = stripeFailure('customers.create', error);

  expect(failure).toMatchObject({ code: 'upstream_failed', reason, retryable });
  expect(failure).toMatchObject({ details: { status: statusCode } });
  expect((failure as Error).message).toBe(`stripe: customers.create: ${reason}`);
  expect(String((failure as Error).cause)).toContain('in its words');
});

test('what is no error of the SDK is a bug, and stays one', () => {
  const error = new TypeError('x is undefined');

  expect(stripeFailure('customers.create', error)).toBe(error);
});

describe('a lost answer', () => {
  test('is told, and the same call again does nothing twice', async () => {
    await using t = await setUpStripe();
    const path = /customers$/;
    const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path });

    const lost = t.client.ensureCustomer(ADA);
    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    const customerId = await t.client.ensureCustomer(ADA);

    expect(fault.fired).toBe(1);
    const { data } = await t.sdk.customers.list();
    expect(data.map(({ id }) => id)).toEqual([customerId]);
  });

  test('to a checkout leaves one page', async () => {
    await using t = await setUpStripe();
    const customerId = await t.client.ensureCustomer(ADA);
    const pages = { successUrl: 'https://portal.test/1', cancelUrl: 'https://portal.test/2' };
    const order = { customerId, priceId: 'price_small', ...pages, key: 'order/1' };
    const path = /checkout/;
    const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path });

    await expect(t.client.createCheckout(order)).rejects.toMatchObject({ reason: 'no_answer' });
    await t.client.createCheckout(order);

    expect(fault.fired).toBe(1);
    expect(t.keys(/checkout/)).toHaveLength(1);
  });

  test('to an upgrade charges once', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_small');
    const change = { subscriptionId, priceId: 'price_large', key: 'change/1' };
    const path = /subscriptions\/sub_/;
    const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path });

    await expect(t.client.upgrade(change)).rejects.toMatchObject({ reason: 'no_answer' });
    await t.client.upgrade(change);

    expect(fault.fired).toBe(1);
    const { data } = await t.sdk.invoices.list({ customer: customerId });
    expect(data.map(({ total }) => total)).toEqual([1_500, 500]);
  });

  test.each([
    ['the end is taken back', 1, /subscriptions\/sub_/],
    ['the schedule is opened', 1, /subscription_schedules$/],
    ['its phases are set', 1, /subscription_schedules\/sub_sched_/],
  ])('to a downgrade, as %s, is made up for', async (_, times, path) => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_large');
    await t.client.scheduleDowngrade({ subscriptionId, priceId: null, key: 'change/1' });
    const change = { subscriptionId, priceId: 'price_small', key: 'change/2' };
    const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path, times });

    await expect(t.client.scheduleDowngrade(change)).rejects.toMatchObject({ reason: 'no_answer' });
    await t.client.scheduleDowngrade(change);

    expect(fault.fired).toBe(times);
    expect(await t.client.readSubscription(customerId)).toMatchObject({
      priceId: 'price_large',
      pending: { priceId: 'price_small' },
    });
    expect(t.lab.calls().filter(({ status }) => status >= 400)).toEqual([]);
  });

  test('to a release is made up for', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_medium');
    await t.client.scheduleDowngrade({ subscriptionId, priceId: 'price_small', key: 'change/1' });
    const change = { subscriptionId, priceId: 'price_large', key: 'change/2' };
    const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path: /release$/ });

    await expect(t.client.upgrade(change)).rejects.toMatchObject({ reason: 'no_answer' });
    await t.client.upgrade(change);

    expect(fault.fired).toBe(1);
    expect(await t.client.readSubscription(customerId)).toMatchObject({
      priceId: 'price_large',
      pending: null,
    });
  });

  test('to a question is asked for again at once', async () => {
    await using t = await setUpStripe();
    const { customerId } = await t.buy('u-ada');
    const path = /subscriptions$/;
    const fault = t.lab.faults.plan({ kind: 'drop_before', method: 'GET', path });

    const found = await t.client.readSubscription(customerId);

    expect(fault.fired).toBe(1);
    expect(found).toMatchObject({ status: 'active' });
  });
});

test('whatever changes something bears a key of its wish, and of what it says', async () => {
  await using t = await setUpStripe();
  const { subscriptionId } = await t.buy('u-ada', 'price_medium');
  const wish = (priceId: string | null, key: string) =>
    t.client.scheduleDowngrade({ subscriptionId, priceId, key });

  await wish('price_small', 'wish/1');
  await wish(null, 'wish/2');
  await t.client.cancelPending({ subscriptionId, key: 'wish/3' });
  await t.client.upgrade({ subscriptionId, priceId: 'price_large', key: 'wish/4' });

  const calls = t.lab.calls().filter(({ method, path }) => method === 'POST' && /sub/.test(path));
  expect(calls.map(({ key, path }) => [key?.slice(0, 6), path.replace(/sub_\w+/, ':id')])).toEqual([
    ['wish/1', '/v1/subscription_schedules'],
    ['wish/1', '/v1/subscription_schedules/:id'],
    ['wish/2', '/v1/subscription_schedules/:id/release'],
    ['wish/2', '/v1/subscriptions/:id'],
    ['wish/3', '/v1/subscriptions/:id'],
    ['wish/4', '/v1/subscriptions/:id'],
  ]);
  expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length);
  expect(new Set(t.lab.calls().map(({ version }) => version))).toEqual(
    new Set([Stripe.API_VERSION]),
  );
});

describe('an answer', () => {
  test('that does not come in time is no answer', async () => {
    await using t = await setUpStripe();
    const client = t.connect({ timeoutMs: 100 });
    const path = /customers/;
    const fault = t.lab.faults.plan({ kind: 'hang', method: 'POST', path });

    const late = client.ensureCustomer(ADA);

    await expect(late).rejects.toMatchObject({ reason: 'timed_out', retryable: true });
    expect(fault.fired).toBe(1);
  });

  test.each([
    ['garbage', 'malformed'],
    ['huge', 'answer_too_large'],
  ] as const)('that is %s is %s', async (kind, reason) => {
    await using t = await setUpStripe();
    const fault = t.lab.faults.plan({ kind, method: 'GET', path: /subscriptions/ });

    const read = t.client.readSubscription('cus_1');

    await expect(read).rejects.toMatchObject({ reason });
    expect(fault.fired).toBe(1);
  });

  test.each([
    [{ object: 'list', data: [{ id: 'sub_1' }], has_more: false }],
    [{ object: 'list' }],
    [[]],
  ])('of another shape, %j, is malformed', async (body) => {
    await using t = await setUpStripe();
    const text = JSON.stringify(body);
    const answer = { kind: 'status', status: 200, text } as const;
    const fault = t.lab.faults.plan({ ...answer, method: 'GET', path: /subscriptions/ });

    const read = t.client.readSubscription('cus_1');

    await expect(read).rejects.toMatchObject({ reason: 'malformed', retryable: true });
    expect(fault.fired).toBe(1);
  });

  test('that asks to wait says for how long', async () => {
    await using t = await setUpStripe({ limit: { requestsMax: 0, windowMs: 7_000 } });

    const refused = t.client.readSubscription('cus_1');

    await expect(refused).rejects.toMatchObject({ reason: 'rate_limited', retryable: true });
    const error = await refused.catch((one: unknown) => one);
    expect((error as { details: { retryAfterMs: number } }).details.retryAfterMs).toBe(7_000);
  });

  test('to nobody listening is not connected', async () => {
    await using t = await setUpStripe();
    await t.lab[Symbol.asyncDispose]();

    const refused = t.client.ensureCustomer(ADA);

    await expect(refused).rejects.toMatchObject({ reason: 'not_connected', retryable: true });
  });

  test('to a wrong key names neither that nor a right one', async () => {
    await using t = await setUpStripe();
    const secretKey = 'sk_test_0123456789abcdef';
    const client = t.connect({ secretKey });

    const error = await client.ensureCustomer(ADA).catch((one: unknown) => one as Error);

    expect(error).toMatchObject({ reason: 'unauthorized', retryable: false });
    const all = JSON.stringify([error, String(error), String((error as Error).cause)]);
    expect(all).toContain('Invalid API Key');
    expect(all).not.toMatch(/sk_test_\w|cdef/);
  });
});
