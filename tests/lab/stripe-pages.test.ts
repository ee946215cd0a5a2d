import { describe, expect, test } from 'vitest';

import { DAY_MS, type StripeWorld, setUpStripe } from '../clients/stripe-world.ts';
import { formOf, press } from '../support/form.ts';

const pageOf = async (url: string): Promise<string> => (await fetch(url)).text();

async function openCheckout(t: StripeWorld) {
  const customerId = await t.client.ensureCustomer({ userId: 'u', email: 'u@z.test', name: null });
  const page = await t.client.createCheckout({
    customerId,
    priceId: 'price_medium',
    successUrl: 'https://portal.test/done',
    cancelUrl: 'https://portal.test/plans',
    key: 'order/1',
  });
  return { customerId, url: page?.url ?? '' };
}

describe('the page of a checkout', () => {
  test('says what it costs, is paid once, and leads back', async () => {
    await using t = await setUpStripe();
    const { customerId, url } = await openCheckout(t);
    const { action, fields } = await formOf(url, 'Pay');

    const paid = [await t.submit(action, fields), await t.submit(action, fields)];

    expect(paid.map((one) => [one.status, one.headers.get('location')])).toEqual([
      [303, 'https://portal.test/done'],
      [303, 'https://portal.test/done'],
    ]);
    expect(await pageOf(url)).toContain('This page is complete');
    const { data } = await t.sdk.subscriptions.list({ customer: customerId, status: 'all' });
    expect(data).toMatchObject([{ status: 'active' }]);
    const events = await t.sdk.events.list({ type: 'checkout.session.completed' });
    expect(events.data).toMatchObject([{ data: { object: { subscription: data[0]?.id } } }]);
  });

  test('stays open when the card is declined, and when the customer goes back', async () => {
    await using t = await setUpStripe();
    const { customerId, url } = await openCheckout(t);

    const declined = await press(url, 'Pay with a card that is declined');
    const back = await press(url, 'Back');

    expect(declined.status).toBe(402);
    expect(back.headers.get('location')).toBe('https://portal.test/plans');
    expect(await pageOf(url)).toContain('Medium: 10.00 EUR a month');
    expect(await t.client.readSubscription(customerId)).toBeNull();
  });

  test('expires after a day', async () => {
    await using t = await setUpStripe();
    const { url } = await openCheckout(t);
    t.lab.advance(DAY_MS);

    const late = await t.submit(url, { card: 'good' });

    expect(late.status).toBe(400);
    expect(await pageOf(url)).toContain('This page is expired');
  });
});

describe('the portal', () => {
  test('pays what is owed, once the card is a good one', async () => {
    await using t = await setUpStripe();
    const { customerId } = await t.buy('u-1');
    const returnUrl = 'https://portal.test/';
    const { url } = await t.client.createPortalSession({ customerId, returnUrl });
    const status = async () => (await t.client.readSubscription(customerId))?.status;

    await press(url, 'A card that is declined');
    t.lab.advance(32 * DAY_MS);
    const behind = [await status(), (await press(url, 'Pay what is owed')).status];
    await press(url, 'A good card');
    const paid = await press(url, 'Pay what is owed');

    expect(behind).toEqual(['past_due', 402]);
    expect(paid.headers.get('location')).toBe(url);
    expect(await status()).toBe('active');
    expect(await pageOf(url)).toContain('Owed: 0.00 EUR');
  });

  test('ends a subscription, whatever was planned, or lets it go on', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1');
    await t.client.scheduleDowngrade({ subscriptionId, priceId: 'price_small', key: 'c/1' });
    const returnUrl = 'https://portal.test/';
    const { url } = await t.client.createPortalSession({ customerId, returnUrl });
    const pending = async () => (await t.client.readSubscription(customerId))?.pending;

    await press(url, 'End at the end of the period');
    const ending = await pending();
    await press(url, 'Go on after all');

    expect(ending).toMatchObject({ priceId: null });
    expect(await pending()).toBeNull();
  });
});

test('the overview shows who has what, and lets time pass', async () => {
  await using t = await setUpStripe();
  await t.buy('u-<b>1');
  const before = t.lab.now();

  await press(t.lab.url.href, 'A month later');

  expect(t.lab.now() - before).toBeGreaterThan(27 * DAY_MS);
  const page = await pageOf(t.lab.url.href);
  expect(page).toContain('u-&lt;b&gt;1@zpack.test');
  expect(page).toContain('customer.subscription.updated');
  expect((await fetch(new URL('/elsewhere', t.lab.url))).status).toBe(404);
});
