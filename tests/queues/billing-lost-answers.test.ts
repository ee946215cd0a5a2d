import { describe, expect, test } from 'vitest';

import { setUpBilling } from './billing-world.ts';

const ANN = 'u-ann';
type World = Awaited<ReturnType<typeof setUpBilling>>;

/** The answer to the first call on this path is lost; then the job is tried again. */
async function loseAnswer(t: World, path: RegExp) {
  const fault = t.lab.faults.plan({ kind: 'drop_after', method: 'POST', path });
  const { key } = await t.effect('stripe.change');
  await expect(t.node.process(key)).rejects.toMatchObject({ reason: 'no_answer' });
  expect(fault.fired).toBe(1);
  return { again: () => t.nodes[1].process(key, 1) };
}

const invoicesOf = async ({ stripe }: World, customer: string) =>
  (await stripe.sdk.invoices.list({ customer })).data.map(({ billing_reason: why }) => why);

describe('the lost answer of Stripe', () => {
  test('to an upgrade costs nothing twice, and it has succeeded', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'small');
    await t.ask(ANN, 'upgrade', 'large');
    const { again } = await loseAnswer(t, /subscriptions\/sub_/);

    await again();
    await t.drain();

    expect((await t.contextOf(ANN)).change).toMatchObject({ state: 'succeeded', error: null });
    expect((await t.contextOf(ANN)).observed).toMatchObject({ planId: 'large' });
    expect(await invoicesOf(t, customer)).toEqual(['subscription_update', 'subscription_create']);
  });

  test('to an upgrade that was paid is a success, although the card is declined by now', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'small');
    await t.ask(ANN, 'upgrade', 'large');
    const { again } = await loseAnswer(t, /subscriptions\/sub_/);
    t.lab.setCard(customer, 'declining');

    await again();
    await t.drain();

    expect((await t.contextOf(ANN)).change).toMatchObject({ state: 'succeeded', error: null });
    expect((await t.contextOf(ANN)).observed).toMatchObject({ planId: 'large', status: 'active' });
  });

  test('to an upgrade that was refused is a refusal, and the plan is as it was', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'small');
    t.lab.setCard(customer, 'declining');
    await t.ask(ANN, 'upgrade', 'large');
    const { again } = await loseAnswer(t, /subscriptions\/sub_/);

    await again();
    await t.drain();

    expect((await t.contextOf(ANN)).change).toMatchObject({
      ...{ state: 'failed', error: { code: 'refused' } },
    });
    expect((await t.contextOf(ANN)).observed).toMatchObject({ planId: 'small', status: 'active' });
    expect(await invoicesOf(t, customer)).toEqual(['subscription_create']);
  });

  test.each([
    ['as the schedule is opened', /subscription_schedules$/],
    ['as its phases are set', /subscription_schedules\/sub_sched_/],
  ])('to a downgrade, %s, leaves one plan for the end of the period', async (_, path) => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'large');
    await t.ask(ANN, 'downgrade', 'small');
    const { again } = await loseAnswer(t, path);

    await again();
    await t.drain();

    const context = await t.contextOf(ANN);
    expect(context.change).toMatchObject({ kind: 'downgrade', state: 'succeeded' });
    expect(context.observed).toMatchObject({ planId: 'large', pending: { planId: 'small' } });
    expect(t.stripe.keys(/subscription_schedules$/)).toHaveLength(1);
  });

  test.each([
    ['an end', null, /subscriptions\/sub_/],
    ['a smaller plan', 'small', /release$/],
  ])('to taking back %s is made up for', async (_, plan, path) => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'large');
    await t.ask(ANN, 'downgrade', plan);
    await t.drain();
    expect((await t.contextOf(ANN)).observed?.pending).toMatchObject({ planId: plan });
    await t.ask(ANN, 'keep');
    const { again } = await loseAnswer(t, path);

    await again();
    await t.drain();

    const context = await t.contextOf(ANN);
    expect(context.change).toMatchObject({ kind: 'keep', state: 'succeeded' });
    expect(context.observed).toMatchObject({ planId: 'large', pending: null });
  });

  test('to an upgrade, and then no answer at all, is read as what it is', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'small');
    await t.ask(ANN, 'upgrade', 'large');
    const { key } = await t.effect('stripe.change');
    await loseAnswer(t, /subscriptions\/sub_/);
    const path = /subscriptions/;
    const outage = t.lab.faults.plan({ kind: 'drop_before', method: 'GET', path, times: 100 });

    await t.node.process(key, 4);
    outage.cancel();
    await t.drain();

    expect(outage.fired).toBeGreaterThan(0);
    const { change, observed } = await t.contextOf(ANN);
    expect(change).toMatchObject({ state: 'running' });
    expect(observed).toMatchObject({ planId: 'large' });
  });
});
