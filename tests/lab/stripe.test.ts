import { describe, expect, test } from 'vitest';

import { addMonths, monthAfter } from '../../lab/stripe/calendar.ts';
import { prorate } from '../../lab/stripe/prorations.ts';
import { startStripe } from '../../lab/stripe/server.ts';
import { DAY_MS, type StripeWorld, setUpStripe } from '../clients/stripe-world.ts';

const types = async ({ sdk }: StripeWorld): Promise<readonly string[]> =>
  (await sdk.events.list({ limit: 100 })).data.map(({ type }) => type).toReversed();

const invoicesOf = async ({ sdk }: StripeWorld, customer: string) =>
  (await sdk.invoices.list({ customer })).data;

const read = ({ sdk }: StripeWorld, id: string) => sdk.subscriptions.retrieve(id);

describe('months', () => {
  const at = (text: string) => Date.parse(`${text}T10:00:00Z`) / 1000;

  test.each([
    ['2026-01-15', 1, '2026-02-15'],
    ['2026-01-31', 1, '2026-02-28'],
    ['2028-01-31', 1, '2028-02-29'],
    ['2026-12-31', 2, '2027-02-28'],
  ])('from %s, %i on, is %s', (from, months, to) => {
    expect(addMonths(at(from), months)).toBe(at(to));
  });

  test('come back to the 31st after a shorter one', () => {
    expect(monthAfter(at('2026-02-28'), at('2026-01-31'))).toBe(at('2026-03-31'));
  });
});

describe('a proration', () => {
  const small = { price: 'price_small', amount: 500, name: 'Small' };
  const large = { price: 'price_large', amount: 2_000, name: 'Large' };
  const amounts = (from: typeof small, to: typeof small, at: number) =>
    prorate({ from, to, periodStart: 0, periodEnd: 300, at }, () => 'il').map((one) => one.amount);

  test.each([
    [0, [-500, 2_000]],
    [150, [-250, 1_000]],
    [100, [-333, 1_333]],
    [299, [-2, 7]],
    [300, [-0, 0]],
  ])('after %i of 300 seconds is %j', (at, expected) => {
    expect(amounts(small, large, at)).toEqual(expected);
  });

  test('there and back again at one moment costs nothing', () => {
    for (let at = 0; at <= 300; at += 7) {
      const all = [...amounts(small, large, at), ...amounts(large, small, at)];
      expect(all.reduce((sum, one) => sum + one, 0)).toBeCloseTo(0);
    }
  });

  test('in the middle of a month stands in the invoice, line by line', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1', 'price_small');
    const { periodStart, periodEnd } = await periodOf(t, subscriptionId);
    t.lab.advance(((periodEnd - periodStart) / 2) * 1000 - (t.lab.now() - periodStart * 1000));

    await t.client.upgrade({ subscriptionId, priceId: 'price_large', key: 'change/1' });

    const [invoice] = await invoicesOf(t, customerId);
    expect(invoice).toMatchObject({ amount_paid: 750, billing_reason: 'subscription_update' });
    expect(invoice?.lines.data).toMatchObject([
      { amount: -250, pricing: { price_details: { price: 'price_small' } } },
      { amount: 1_000, pricing: { price_details: { price: 'price_large' } } },
    ]);
    const [line] = invoice?.lines.data ?? [];
    expect(line?.parent?.subscription_item_details?.proration).toBe(true);
  });

  test('that gives back becomes credit, which the next invoice uses up', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1', 'price_large');
    const [item] = (await read(t, subscriptionId)).items.data;

    await t.sdk.subscriptions.update(subscriptionId, {
      items: [{ id: item?.id ?? '', price: 'price_small' }],
      proration_behavior: 'always_invoice',
    });
    const { balance } = (await t.sdk.customers.retrieve(customerId)) as { balance: number };
    t.lab.advance(32 * DAY_MS);

    expect(balance).toBe(-1_500);
    const [renewal, change] = await invoicesOf(t, customerId);
    expect(change).toMatchObject({ total: -1_500, amount_due: 0, status: 'paid' });
    expect(renewal).toMatchObject({ total: 500, amount_due: 0, ending_balance: -1_000 });
  });

  test('that is not charged at once is charged with the next month', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1', 'price_small');
    const [item] = (await read(t, subscriptionId)).items.data;
    const items = [{ id: item?.id ?? '', price: 'price_large' }];

    await t.sdk.subscriptions.update(subscriptionId, { items });
    t.lab.advance(32 * DAY_MS);

    const totals = (await invoicesOf(t, customerId)).map(({ total }) => total);
    expect(totals).toEqual([1_500 + 2_000, 500]);
  });
});

async function periodOf(t: StripeWorld, id: string) {
  const [item] = (await read(t, id)).items.data;
  return {
    periodStart: item?.current_period_start ?? 0,
    periodEnd: item?.current_period_end ?? 0,
  };
}

describe('a month later', () => {
  test('the next one is charged, each in its turn', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1');
    const before = await periodOf(t, subscriptionId);

    t.lab.advance(100 * DAY_MS);

    const all = await invoicesOf(t, customerId);
    expect(all.map((one) => one.billing_reason)).toEqual([
      ...Array.from({ length: 3 }, () => 'subscription_cycle'),
      'subscription_create',
    ]);
    expect(all.at(-2)?.created).toBe(before.periodEnd);
    expect(all.every(({ status, total }) => status === 'paid' && total === 1_000)).toBe(true);
    const { periodStart } = await periodOf(t, subscriptionId);
    expect(periodStart).toBe(addMonths(before.periodStart, 3));
  });

  test('a card that is declined is tried again, and paid by a better one', async () => {
    await using t = await setUpStripe();
    const { customerId, subscriptionId } = await t.buy('u-1');
    t.lab.setCard(customerId, 'declining');
    const { periodEnd } = await periodOf(t, subscriptionId);

    t.lab.advance(periodEnd * 1000 - t.lab.now());
    const behind = await read(t, subscriptionId);
    t.lab.setCard(customerId, 'good');
    t.lab.advance(3 * DAY_MS);

    expect(behind.status).toBe('past_due');
    expect((await read(t, subscriptionId)).status).toBe('active');
    const [renewal] = await invoicesOf(t, customerId);
    expect(renewal).toMatchObject({ status: 'paid', attempt_count: 2 });
    const seen = await types(t);
    expect(seen.filter((type) => type === 'invoice.payment_failed')).toHaveLength(1);
  });

  test.each([
    ['cancel', 'canceled'],
    ['unpaid', 'unpaid'],
  ] as const)('one declined for good ends, by the rule %s, %s', async (afterRetries, status) => {
    await using t = await setUpStripe({ rules: { retries: 2, afterRetries } });
    const { customerId, subscriptionId } = await t.buy('u-1');
    t.lab.setCard(customerId, 'declining');

    t.lab.advance(45 * DAY_MS);

    expect((await read(t, subscriptionId)).status).toBe(status);
    const [renewal] = await invoicesOf(t, customerId);
    expect(renewal).toMatchObject({ status: 'open', attempt_count: 3, next_payment_attempt: null });
  });

  test('what is unpaid makes drafts, and lives again when the last is paid', async () => {
    await using t = await setUpStripe({ rules: { retries: 0, afterRetries: 'unpaid' } });
    const { customerId, subscriptionId } = await t.buy('u-1');
    t.lab.setCard(customerId, 'declining');
    t.lab.advance(63 * DAY_MS);
    const drafts = await t.sdk.invoices.list({ customer: customerId, status: 'draft' });
    t.lab.setCard(customerId, 'good');

    await t.sdk.invoices.pay(drafts.data[0]?.id ?? '');

    expect(drafts.data).toHaveLength(1);
    expect((await read(t, subscriptionId)).status).toBe('active');
  });

  test('a trial has become a month that is paid for, and was announced', async () => {
    await using t = await setUpStripe();
    const customer = await t.client.ensureCustomer({ userId: 'u', email: 'u@z.test', name: null });
    t.lab.setCard(customer, 'good');
    const items = [{ price: 'price_small' }];
    const { id } = await t.sdk.subscriptions.create({ customer, items, trial_period_days: 14 });

    t.lab.advance(12 * DAY_MS);
    const during = await types(t);
    t.lab.advance(20 * DAY_MS);

    expect(during).toContain('customer.subscription.trial_will_end');
    expect((await read(t, id)).status).toBe('active');
    const totals = (await invoicesOf(t, customer)).map(({ total }) => total);
    expect(totals).toEqual([500, 0]);
  });

  test('what nobody ever paid for has expired', async () => {
    await using t = await setUpStripe();
    const customer = await t.client.ensureCustomer({ userId: 'u', email: 'u@z.test', name: null });
    const items = [{ price: 'price_small' }];
    const { id, status } = await t.sdk.subscriptions.create({ customer, items });

    t.lab.advance(DAY_MS);

    expect(status).toBe('incomplete');
    expect((await read(t, id)).status).toBe('incomplete_expired');
  });
});

describe('a schedule', () => {
  test('goes through its phases and lets go', async () => {
    await using t = await setUpStripe();
    const { subscriptionId } = await t.buy('u-1', 'price_large');
    await t.client.scheduleDowngrade({ subscriptionId, priceId: 'price_small', key: 'c/1' });
    const { schedule } = await read(t, subscriptionId);
    const id = String(schedule);
    const seen: unknown[] = [];

    for (const days of [0, 32, 31]) {
      t.lab.advance(days * DAY_MS);
      const { status, current_phase } = await t.sdk.subscriptionSchedules.retrieve(id);
      const { items, schedule: attached } = await read(t, subscriptionId);
      seen.push([status, current_phase !== null, items.data[0]?.price.id, attached === id]);
    }

    expect(seen).toEqual([
      ['active', true, 'price_large', true],
      ['active', true, 'price_small', true],
      ['released', false, 'price_small', false],
    ]);
    expect((await types(t)).filter((type) => type.startsWith('subscription_schedule'))).toEqual([
      'subscription_schedule.created',
      'subscription_schedule.updated',
      'subscription_schedule.updated',
      'subscription_schedule.released',
    ]);
  });

  test('that ends its subscription says so from the beginning', async () => {
    await using t = await setUpStripe();
    const { subscriptionId: id, customerId } = await t.buy('u-1');
    const { id: schedule } = await t.sdk.subscriptionSchedules.create({ from_subscription: id });

    await t.sdk.subscriptionSchedules.update(schedule, { end_behavior: 'cancel' });
    const planned = await t.client.readSubscription(customerId);
    t.lab.advance(32 * DAY_MS);

    expect(planned?.pending).toEqual({ priceId: null, at: planned?.periodEnd });
    expect((await read(t, id)).status).toBe('canceled');
    const ended = await t.sdk.subscriptionSchedules.retrieve(schedule);
    expect(ended.status).toBe('completed');
  });

  test('owns its subscription until it is released, and only once', async () => {
    await using t = await setUpStripe();
    const { subscriptionId: id } = await t.buy('u-1');
    const opened = await t.sdk.subscriptionSchedules.create({ from_subscription: id });

    const ending = t.sdk.subscriptions.update(id, { cancel_at_period_end: true });
    await expect(ending).rejects.toThrow(/managed by the subscription schedule/);
    const second = t.sdk.subscriptionSchedules.create({ from_subscription: id });
    await expect(second).rejects.toThrow(/already attached/);
    await t.sdk.subscriptionSchedules.release(opened.id);

    const again = t.sdk.subscriptionSchedules.release(opened.id);
    await expect(again).rejects.toThrow(/`released` status/);
    const { cancel_at_period_end } = await t.sdk.subscriptions.update(id, {
      cancel_at_period_end: true,
    });
    expect(cancel_at_period_end).toBe(true);
  });
});

test('after a restart it is the same account, at the same time', async () => {
  await using t = await setUpStripe();
  const { subscriptionId, customerId } = await t.buy('u-1');
  t.lab.advance(5 * DAY_MS);
  const ahead = t.lab.now() - Date.now();
  await t.lab[Symbol.asyncDispose]();

  await using lab = await startStripe({ dataDir: t.dataDir, port: Number(t.lab.url.port) });

  expect(lab.secretKey).toBe(t.lab.secretKey);
  expect(Math.abs(lab.now() - Date.now() - ahead)).toBeLessThan(DAY_MS);
  expect(await t.client.readSubscription(customerId)).toMatchObject({ subscriptionId });
});
