import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { DAY_MS, setUpStripe } from './stripe-world.ts';

const ADA = { userId: 'u-ada', email: 'ada@zpack.test', name: 'Ada' };

describe('a customer', () => {
  test('is one, however often and with whatever address we ask', async () => {
    await using t = await setUpStripe();

    const ids = [
      await t.client.ensureCustomer(ADA),
      await t.client.ensureCustomer(ADA),
      await t.client.ensureCustomer({ ...ADA, email: 'ada@elsewhere.test', name: null }),
    ];

    expect(new Set(ids).size).toBe(1);
    const { data } = await t.sdk.customers.list();
    expect(data).toMatchObject([
      { id: ids[0], email: 'ada@elsewhere.test', name: 'Ada', metadata: { userId: 'u-ada' } },
    ]);
    expect(t.keys(/customers$/)).toEqual(['customer/u-ada']);
  });

  test('gets a page of its own for cards and invoices', async () => {
    await using t = await setUpStripe();
    const customerId = await t.client.ensureCustomer(ADA);

    const { url } = await t.client.createPortalSession({
      customerId,
      returnUrl: 'https://portal.test/',
    });

    expect(await (await fetch(url)).text()).toContain('href="https://portal.test/"');
  });

  test('that nobody knows is not found', async () => {
    await using t = await setUpStripe();
    const visit = { customerId: 'cus_none', returnUrl: 'https://portal.test/' };

    const refused = t.client.createPortalSession(visit);

    await expect(refused).rejects.toMatchObject({ reason: 'not_found', retryable: false });
    await expect(t.client.readSubscription('cus_none')).rejects.toMatchObject({
      reason: 'not_found',
    });
  });
});

describe('a checkout', () => {
  test('is one page for one key, and ends in a subscription', async () => {
    await using t = await setUpStripe();
    const customerId = await t.client.ensureCustomer(ADA);
    const order = {
      customerId,
      priceId: 'price_small',
      successUrl: 'https://portal.test/done?session={CHECKOUT_SESSION_ID}',
      cancelUrl: 'https://portal.test/plans',
      key: 'order/1',
    };
    const before = await t.client.readSubscription(customerId);

    const { url = '' } = (await t.client.createCheckout(order)) ?? {};
    const again = await t.client.createCheckout(order);
    const paid = await t.submit(url, { card: 'good' });

    expect(before).toBeNull();
    expect(again).toEqual({ url });
    expect(paid.headers.get('location')).toContain(`session=${url.split('/').at(-1)}`);
    expect(await t.client.readSubscription(customerId)).toMatchObject({
      status: 'active',
      priceId: 'price_small',
      trialEnd: null,
      pending: null,
    });
  });
});

describe('a subscription', () => {
  test('is read with its period and its trial', async () => {
    await using t = await setUpStripe();
    const customer = await t.client.ensureCustomer(ADA);
    const items = [{ price: 'price_large' }];
    await t.sdk.subscriptions.create({ customer, items, trial_period_days: 14 });

    const found = await t.client.readSubscription(customer);

    expect(found).toMatchObject({ status: 'trialing', priceId: 'price_large' });
    expect(found?.trialEnd).toBe(found?.periodEnd);
    expect((found?.periodEnd ?? 0) - t.lab.now()).toBeGreaterThan(13 * DAY_MS);
  });

  test('that lives counts, before later ones that do not', async () => {
    await using t = await setUpStripe();
    const { customerId: customer, subscriptionId } = await t.buy('u-ada');
    const items = [{ price: 'price_large' }];
    const ended = await t.sdk.subscriptions.create({ customer, items });
    await t.sdk.subscriptions.cancel(ended.id);

    const living = await t.client.readSubscription(customer);
    await t.sdk.subscriptions.cancel(subscriptionId);
    const last = await t.client.readSubscription(customer);

    expect(living).toMatchObject({ subscriptionId, status: 'active' });
    expect(last).toMatchObject({ status: 'canceled', pending: null });
  });

  test('is upgraded at once, and what is left of the month is charged', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_small');
    const change = { subscriptionId, priceId: 'price_large', key: 'change/1' };

    await t.client.upgrade(change);
    await t.client.upgrade(change);

    expect(await t.client.readSubscription(customerId)).toMatchObject({ priceId: 'price_large' });
    const { data } = await t.sdk.invoices.list({ customer: customerId });
    expect(data).toMatchObject([
      { billing_reason: 'subscription_update', status: 'paid', total: 1_500 },
      { billing_reason: 'subscription_create', status: 'paid', total: 500 },
    ]);
  });

  test('whose card is declined stays as it was', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_small');
    t.lab.setCard(customerId, 'declining');
    const change = { subscriptionId, priceId: 'price_large', key: 'change/1' };

    const refused = t.client.upgrade(change);

    await expect(refused).rejects.toMatchObject({
      reason: 'refused',
      retryable: false,
      details: { status: 402, code: 'card_declined', declineCode: 'generic_decline' },
    });
    const found = await t.client.readSubscription(customerId);
    expect(found).toMatchObject({ status: 'active', priceId: 'price_small' });
    t.lab.setCard(customerId, 'good');
    await expect(t.client.upgrade(change)).rejects.toMatchObject({ reason: 'refused' });
    await t.client.upgrade({ ...change, key: 'change/2' });
    expect(await t.client.readSubscription(customerId)).toMatchObject({ priceId: 'price_large' });
  });

  test('is downgraded at the end of the period, and goes on from there', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_large');
    const change = { subscriptionId, priceId: 'price_small', key: 'change/1' };

    await t.client.scheduleDowngrade(change);
    await t.client.scheduleDowngrade(change);
    const planned = await t.client.readSubscription(customerId);
    t.lab.advance(32 * DAY_MS);
    const changed = await t.client.readSubscription(customerId);
    t.lab.advance(62 * DAY_MS);

    expect(planned).toMatchObject({ priceId: 'price_large' });
    expect(planned?.pending).toEqual({ priceId: 'price_small', at: planned?.periodEnd });
    expect(changed).toMatchObject({ priceId: 'price_small', status: 'active', pending: null });
    expect(await t.client.readSubscription(customerId)).toMatchObject({ priceId: 'price_small' });
    expect(t.keys(/subscription_schedules$/)).toHaveLength(1);
  });

  test('is downgraded during its trial without losing it', async () => {
    await using t = await setUpStripe();
    const customer = await t.client.ensureCustomer(ADA);
    t.lab.setCard(customer, 'good');
    const items = [{ price: 'price_large' }];
    const { id } = await t.sdk.subscriptions.create({ customer, items, trial_period_days: 14 });

    await t.client.scheduleDowngrade({ subscriptionId: id, priceId: 'price_small', key: 'c/1' });
    const planned = await t.client.readSubscription(customer);
    t.lab.advance(15 * DAY_MS);

    expect(planned).toMatchObject({ status: 'trialing' });
    expect(planned?.pending).toEqual({ priceId: 'price_small', at: planned?.trialEnd });
    const found = await t.client.readSubscription(customer);
    expect(found).toMatchObject({ status: 'active', priceId: 'price_small' });
  });

  test('ends at the end of the period, if it is downgraded to nothing', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada');
    const change = { subscriptionId, priceId: null, key: 'change/1' };

    await t.client.scheduleDowngrade(change);
    await t.client.scheduleDowngrade(change);
    const planned = await t.client.readSubscription(customerId);
    t.lab.advance(32 * DAY_MS);

    expect(planned?.pending).toEqual({ priceId: null, at: planned?.periodEnd });
    expect(planned?.status).toBe('active');
    const found = await t.client.readSubscription(customerId);
    expect(found).toMatchObject({ status: 'canceled', pending: null });
    const refused = t.client.upgrade({ subscriptionId, priceId: 'price_large', key: 'change/2' });
    await expect(refused).rejects.toMatchObject({ reason: 'refused' });
  });

  test.each([
    ['an end', null],
    ['a lower price', 'price_small'],
  ])('from which %s was planned can go on', async (_, priceId) => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada');
    await t.client.scheduleDowngrade({ subscriptionId, priceId, key: 'change/1' });

    await t.client.cancelPending({ subscriptionId, key: 'change/2' });
    await t.client.cancelPending({ subscriptionId, key: 'change/2' });
    const found = await t.client.readSubscription(customerId);
    t.lab.advance(32 * DAY_MS);

    expect(found).toMatchObject({ priceId: 'price_medium', pending: null });
    const later = await t.client.readSubscription(customerId);
    expect(later).toMatchObject({ priceId: 'price_medium', status: 'active' });
  });

  test.each([
    ['an end', null],
    ['a lower price', 'price_small'],
  ])('that is upgraded forgets %s that was planned', async (_, priceId) => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada');
    await t.client.scheduleDowngrade({ subscriptionId, priceId, key: 'change/1' });

    await t.client.upgrade({ subscriptionId, priceId: 'price_large', key: 'change/2' });
    const found = await t.client.readSubscription(customerId);
    t.lab.advance(32 * DAY_MS);

    expect(found).toMatchObject({ priceId: 'price_large', pending: null });
    expect(await t.client.readSubscription(customerId)).toMatchObject({ status: 'active' });
  });

  test('does what was wished last', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada', 'price_large');
    const pending = async () => (await t.client.readSubscription(customerId))?.pending?.priceId;
    const wish = (priceId: string | null, key: string) =>
      t.client.scheduleDowngrade({ subscriptionId, priceId, key });

    const seen: unknown[] = [];
    for (const [index, priceId] of ['price_medium', null, 'price_small', 'price_large'].entries()) {
      await wish(priceId, `change/${index}`);
      seen.push(await pending());
    }

    expect(seen).toEqual(['price_medium', null, 'price_small', undefined]);
    t.lab.advance(32 * DAY_MS);
    const found = await t.client.readSubscription(customerId);
    expect(found).toMatchObject({ priceId: 'price_large', status: 'active' });
  });

  test('to which somebody else set an end can go on', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-ada');
    const at = Math.floor(t.lab.now() / 1000) + 3_600;
    await t.sdk.subscriptions.update(subscriptionId, { cancel_at: at });

    const planned = await t.client.readSubscription(customerId);
    await t.client.cancelPending({ subscriptionId, key: 'change/1' });

    expect(planned?.pending).toEqual({ priceId: null, at: at * 1000 });
    expect(await t.client.readSubscription(customerId)).toMatchObject({ pending: null });
  });
});

describe('the list of everybody', () => {
  test('names each once, page by page, also those whose subscription has ended', async () => {
    await using t = await setUpStripe();
    const bought: string[] = [];
    for (const userId of ['u-1', 'u-2', 'u-3']) bought.push((await t.buy(userId)).customerId);
    const [customer = ''] = bought;
    const { id } = await t.sdk.subscriptions.create({
      customer,
      items: [{ price: 'price_small' }],
    });
    await t.sdk.subscriptions.cancel(id);
    await t.client.ensureCustomer(ADA);
    const client = t.connect({ pageSize: 2 });

    const listed = await Array.fromAsync(client.listCustomersWithSubscriptions());

    expect(listed.map(({ customerId }) => customerId).toSorted()).toEqual(bought.toSorted());
    expect(listed).toHaveLength(3);
  });

  test('ends when nobody wants to hear the rest', async () => {
    await using t = await setUpStripe();
    await t.buy('u-1');
    const stop = new AbortController();
    const fault = t.lab.faults.plan({ kind: 'hang', method: 'GET', path: /subscriptions/ });

    const reading = Array.fromAsync(t.client.listCustomersWithSubscriptions(stop.signal));
    await until(() => fault.fired === 1, { what: 'the question' });
    stop.abort(new Error('enough'));

    await expect(reading).rejects.toThrow('enough');
    await expect(t.client.readSubscription('cus_1', stop.signal)).rejects.toThrow('enough');
  });
});
