import { describe, expect, test } from 'vitest';

import { createStandings } from '../../src/http/billing/standing.ts';
import { definitions } from '../../src/machines/index.ts';
import { createPlans } from '../../src/storage/plans.ts';
import { idOf } from '../support/fleet-writer.ts';
import { setUpBilling } from './billing-world.ts';
import { TWICE } from './effects-world.ts';

const { machineVersion } = definitions.instance;
const ANN = 'u-ann';

describe.each(TWICE)('performed twice, %s, happens once:', (_, twice) => {
  test('a reading says the same, and changes nothing at Stripe', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'medium');
    const before = t.lab.calls().filter(({ method }) => method !== 'GET').length;
    const read = { kind: 'stripe.read', opId: '9', id: `sub-${ANN}`, userId: ANN } as const;
    const { customerId } = await t.contextOf(ANN);

    const outcomes = await twice(t.nodes, (node) => node.perform({ ...read, customerId }));

    expect(outcomes[0]).toMatchObject({
      ...{ type: 'subscription.observed', opId: '9' },
      observed: { status: 'active', planId: 'medium', pending: null },
    });
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(t.lab.calls().filter(({ method }) => method !== 'GET')).toHaveLength(before);
  });

  test('an upgrade is one price, and one invoice of what it costs', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'small');
    await t.ask(ANN, 'upgrade', 'large');
    const { params } = await t.effect('stripe.change');

    const outcomes = await twice(t.nodes, (node) => node.perform(params));

    expect(outcomes).toEqual(Array(2).fill({ type: 'change.made', opId: params.opId }));
    const { data } = await t.stripe.sdk.invoices.list({ customer });
    expect(data.map(({ billing_reason }) => billing_reason)).toEqual([
      ...['subscription_update', 'subscription_create'],
    ]);
    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({
      ...{ priceId: 'price_large', pending: null },
    });
  });

  test('a downgrade is one plan for the end of the period, and is taken back by one wish', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'large');
    await t.ask(ANN, 'downgrade', 'small');
    const { params } = await t.effect('stripe.change');

    const outcomes = await twice(t.nodes, (node) => node.perform(params));

    expect(outcomes).toEqual(Array(2).fill({ type: 'change.made', opId: params.opId }));
    expect(t.stripe.keys(/subscription_schedules$/)).toHaveLength(1);
    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({
      ...{ priceId: 'price_large', pending: { priceId: 'price_small' } },
    });

    await t.drain();
    await t.ask(ANN, 'keep');
    const keep = await t.effect('stripe.change');
    const kept = await twice(t.nodes, (node) => node.perform(keep.params));

    expect(kept).toEqual(Array(2).fill({ type: 'change.made', opId: keep.params.opId }));
    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({
      ...{ priceId: 'price_large', pending: null },
    });
    expect(t.stripe.keys(/release$/)).toHaveLength(1);
  });

  test('a mail is queued once', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    const { params } = await t.effect('billing.mail');

    await twice(t.nodes, (node) => node.perform(params));

    expect(await t.rows('SELECT kind, recipient, state FROM mail')).toEqual([
      { kind: 'suspended', recipient: 'u-ann@zpack.test', state: 'queued' },
    ]);
  });

  test('a decision is told once to each instance of its customer, and to no other', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.addUser('u-bea');
    await t.instances(ANN, [5_001, 5_002]);
    await t.instances('u-bea', [5_003]);
    await t.ends(ANN);
    const { params } = await t.effect('billing.apply');

    await twice(t.nodes, (node) => node.perform(params));

    for (const vmid of [5_001, 5_002]) {
      expect(await t.told(vmid, 'entitlement.suspended')).toBe(1);
      expect(await t.entitlementOf(vmid)).toMatchObject({
        ...{ order: 1, reason: 'subscription_ended', suspendedAt: expect.any(Number) },
      });
    }
    expect(await t.entitlementOf(5_003)).toMatchObject({ order: 0, suspendedAt: null });
  });

  test('what nobody has paid for is deleted once', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001, 5_002]);
    const expiry = { kind: 'billing.expire', opId: 'order-2', id: `sub-${ANN}`, order: 2 } as const;

    await twice(t.nodes, (node) => node.perform({ ...expiry, userId: ANN }));

    for (const vmid of [5_001, 5_002]) expect(await t.told(vmid, 'delete.requested')).toBe(1);
    expect(await t.rows('SELECT action, detail FROM audit_entry')).toEqual([
      { action: 'containers.expired', detail: { order: 2, containers: 2 } },
    ]);
  });

  test('what nobody has paid for ends at Stripe, and is charged for no more', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN);
    t.lab.setCard(customer, 'declining');
    t.lab.advance(32 * 24 * 3_600_000);
    const subscriptionId = await t.subscriptionId(ANN);
    const cancel = { kind: 'billing.cancel', opId: 'order-2', id: `sub-${ANN}` } as const;
    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({ status: 'past_due' });

    await twice(t.nodes, (node) =>
      node.perform({ ...cancel, order: 2, userId: ANN, subscriptionId }),
    );

    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({ status: 'canceled' });
    expect(await t.rows('SELECT action FROM audit_entry')).toEqual([
      { action: 'subscription.canceled' },
    ]);
  });
});

test('what was paid at the last moment is not ended at Stripe', async () => {
  await using t = await setUpBilling();
  const customer = await t.subscribe(ANN);
  const subscriptionId = await t.subscriptionId(ANN);

  await t.node.perform({
    ...{ kind: 'billing.cancel', opId: 'order-2', id: `sub-${ANN}`, order: 2 },
    ...{ userId: ANN, subscriptionId },
  });

  expect(await t.stripe.client.readSubscription(customer)).toMatchObject({ status: 'active' });
  expect(await t.rows('SELECT FROM audit_entry')).toEqual([]);
});

test('an older decision that arrives after a later one changes nothing', async () => {
  await using t = await setUpBilling();
  await t.subscribe(ANN);
  await t.instances(ANN, [5_001]);
  await t.ends(ANN);
  const { key, params: older } = await t.effect('billing.apply');
  await t.returns(ANN);
  await t.drain();
  expect(await t.entitlementOf(5_001)).toMatchObject({ order: 2, suspendedAt: null });

  await t.nodes[1].perform(older);
  await t.nodes[1].process(key);

  expect(await t.entitlementOf(5_001)).toMatchObject({ order: 2, suspendedAt: null });
  expect(await t.told(5_001, 'entitlement.suspended')).toBe(0);
  expect(await t.effects()).toEqual([]);
});

test('nothing is deleted of whoever was made an administrator a moment ago', async () => {
  await using t = await setUpBilling();
  await t.subscribe(ANN);
  await t.instances(ANN, [5_001]);
  await t.ends(ANN);
  await t.addUser(ANN, 'admin');
  const expiry = { kind: 'billing.expire', opId: 'order-2', id: `sub-${ANN}`, order: 2 } as const;

  await t.drain();
  await t.node.perform({ ...expiry, userId: ANN });

  expect(await t.told(5_001, 'delete.requested')).toBe(0);
  expect(await t.rows('SELECT FROM mail')).toEqual([]);
});

test.each([
  ['within it goes on', [5_001], 'none', null],
  [
    'beyond it is stopped, and its owner is told that the plan has ended',
    [5_001, 5_002],
    'canceled',
    1,
  ],
])('where something costs nothing, what has ended and is %s', async (_, vmids, standing, mails) => {
  await using t = await setUpBilling();
  await createPlans(t.database.prisma).upsert({
    ...{ id: 'free', name: 'Free', slots: 1, memoryMiB: 2_048, priceCents: 0, currency: 'eur' },
    ...{ stripePriceId: null, position: 0, isDefault: true },
  });
  await t.subscribe(ANN, 'medium');
  await t.instances(ANN, vmids);

  await t.ends(ANN);
  await t.drain();

  expect(await t.standingOf(ANN)).toBe(standing);
  const { suspendedAt } = await t.entitlementOf(5_001);
  expect(suspendedAt === null).toBe(standing === 'none');
  const told = await t.rows(`SELECT params -> 'isEnded' AS "isEnded" FROM mail`);
  expect(told).toEqual(mails === null ? [] : [{ isEnded: true }]);
});

describe('a decision that could not be told', () => {
  test('to one instance was not told to the others either', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001, 5_002, 5_003]);
    await t.ends(ANN);
    await t.belongTo('container_instance', idOf(5_001), machineVersion + 1);
    const { key } = await t.effect('billing.apply');

    await expect(t.node.process(key, 4)).rejects.toMatchObject({ code: 'unavailable' });

    for (const vmid of [5_002, 5_003]) {
      expect(await t.entitlementOf(vmid)).toMatchObject({ order: 1 });
    }
    expect(await t.entitlementOf(5_001)).toMatchObject({ order: 0 });
    expect(await t.effect('billing.apply')).toMatchObject({ key });
    await t.belongTo('container_instance', idOf(5_001), machineVersion);
    await t.node.process(key);
    expect(await t.entitlementOf(5_001)).toMatchObject({ order: 1 });
    expect(await t.effects('billing.apply')).toEqual([]);
    expect(await t.told(5_002, 'entitlement.suspended')).toBe(1);
  });

  test.each(['billing.apply', 'billing.mail'] as const)(
    'for want of a database is never dropped: %s',
    async (kind) => {
      await using t = await setUpBilling();
      await t.subscribe(ANN);
      await t.instances(ANN, [5_001]);
      await t.ends(ANN);
      const { key } = await t.effect(kind);
      const table = kind === 'billing.apply' ? 'container_instance' : 'mail';
      await t.rows(`ALTER TABLE ${table} RENAME TO away`);

      for (const attemptsMade of [0, 1, 2, 3, 4, 0]) {
        await expect(t.node.process(key, attemptsMade)).rejects.toMatchObject({ code: '42P01' });
      }
      await t.rows(`ALTER TABLE away RENAME TO ${table}`);
      await t.drain();

      expect(await t.entitlementOf(5_001)).toMatchObject({ order: 1 });
      expect(await t.rows('SELECT kind FROM mail')).toEqual([{ kind: 'suspended' }]);
    },
  );

  test('of one instance that was to be deleted kept the others', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001, 5_002]);
    await t.belongTo('container_instance', idOf(5_001), machineVersion + 1);
    const expiry = { kind: 'billing.expire', opId: 'order-2', id: `sub-${ANN}`, order: 2 } as const;

    await expect(t.node.perform({ ...expiry, userId: ANN })).rejects.toMatchObject({
      code: 'unavailable',
    });

    expect([
      await t.told(5_001, 'delete.requested'),
      await t.told(5_002, 'delete.requested'),
    ]).toEqual([0, 1]);
  });
});

describe('a plan that is sold for another price now', () => {
  const small = {
    ...{ id: 'small', name: 'Small', slots: 1, memoryMiB: 1_024, priceCents: 900 },
    ...{ currency: 'eur', position: 1, isDefault: false },
  };

  test('was taken from whoever had bought it before', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await createPlans(t.database.prisma).upsert({ ...small, stripePriceId: 'price_small_2' });

    await t.look(ANN);

    expect((await t.contextOf(ANN)).observed).toMatchObject({ planId: 'small' });
    expect(await t.rows('SELECT FROM audit_entry')).toEqual([]);
  });

  test('and whose price nobody knows stays what it was, and is told of', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.rows('DELETE FROM plan_price');
    await t.look(ANN);
    await t.look(ANN);

    expect((await t.contextOf(ANN)).observed).toMatchObject({ planId: 'small' });
    expect(await t.rows('SELECT action, detail FROM audit_entry')).toEqual([
      { action: 'price.unknown', detail: { priceId: 'price_small' } },
    ]);
  });
});

describe('a downgrade', () => {
  test('limited nothing while Stripe was asked for it', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'large');
    const standings = createStandings(t.node);
    await t.ask(ANN, 'downgrade', 'small');

    const allowance = await standings.allowanceOf(ANN);

    expect(allowance).toMatchObject({ limits: { slots: 1, memoryMiB: 1_024 } });
  });

  test('was made although more was in use by then', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'large');
    await t.ask(ANN, 'downgrade', 'small');
    await t.instances(ANN, [5_001, 5_002]);

    await t.drain();

    expect((await t.contextOf(ANN)).change).toMatchObject({
      ...{ state: 'failed', error: { message: expect.stringContaining('more is in use') } },
    });
    expect(await t.stripe.client.readSubscription(customer)).toMatchObject({ pending: null });
  });
});

test('a change of the plan is in the audit once, when it has been made', async () => {
  await using t = await setUpBilling();
  await t.subscribe(ANN);
  await t.ask(ANN, 'upgrade', 'large');
  const { params } = await t.effect('stripe.change');

  await t.node.perform(params);
  await t.nodes[1].perform(params);

  expect(await t.rows('SELECT action, detail FROM audit_entry')).toMatchObject([
    { action: 'plan.changed', detail: { change: 'upgrade', priceId: 'price_large' } },
  ]);
});
