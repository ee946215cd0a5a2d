import { describe, expect, test } from 'vitest';

import { definitions } from '../../src/machines/index.ts';
import { idOf } from '../support/fleet-writer.ts';
import { until } from '../support/until.ts';
import { NEVER, setUpBilling } from './billing-world.ts';

const [ANN, BEA] = ['u-ann', 'u-bea'];
const DAY_MS = 24 * 3_600_000;
const EXPIRED = `UPDATE subscription SET snapshot =
  jsonb_set(snapshot, '{value,standing}', '"expired"') WHERE user_id = $1`;

describe('a comparison with Stripe', () => {
  test('finds what no event has told', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN, 'small');
    await t.subscribe(BEA, 'large');
    await t.stripe.sdk.subscriptions.cancel(await t.subscriptionId(ANN));
    const subscriptionId = await t.subscriptionId(BEA);
    const change = { subscriptionId, priceId: 'price_small', key: 'by-hand' };
    await t.stripe.client.scheduleDowngrade(change);

    const run = await t.node.run('reconcile', NEVER);
    await t.drain();

    expect(run).toMatchObject({
      ...{
        outcome: 'succeeded',
        result: { asked: 2, failed: 0, found: 0, strangers: 0, exceeding: 0 },
      },
    });
    expect(await t.standingOf(ANN)).toBe('canceled');
    expect((await t.contextOf(BEA)).observed).toMatchObject({ pending: { planId: 'small' } });
  });

  test('enrolls whom Stripe knows and we do not, and counts who is nobody of ours', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.stripe.buy('u-stranger');
    await t.stripe.buy('u-other');
    await t.loseActors();
    const node = t.nodes[1];

    const first = await node.run('reconcile', NEVER);
    await t.drain('%', node);
    const second = await node.run('reconcile', NEVER);

    expect(first?.result).toMatchObject({ asked: 0, failed: 0, found: 1, strangers: 2 });
    expect(second?.result).toMatchObject({ asked: 1, failed: 0, found: 0, strangers: 2 });
    expect(await t.standingOf(ANN)).toBe('active');
  });

  test('ended at the first customer whose actor could not be told', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.subscribe(BEA);
    await t.stripe.sdk.subscriptions.cancel(await t.subscriptionId(BEA));
    const { machineVersion } = definitions.subscription;
    await t.belongTo('subscription', `sub-${ANN}`, machineVersion + 1);
    const node = t.nodes[1];

    const run = await node.run('reconcile', NEVER);
    await t.drain('%', node);

    expect(run).toMatchObject({ outcome: 'succeeded', result: { asked: 2, failed: 1 } });
    expect(await t.standingOf(BEA)).toBe('canceled');
  });

  test('ended at the first customer of whom only Stripe knew and who could not be enrolled', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.subscribe(BEA);
    await t.rows(`DELETE FROM subscription_journal`);
    await t.rows(`DELETE FROM subscription WHERE user_id = $1`, [BEA]);
    await t.rows(`DELETE FROM subscription WHERE user_id = $1`, [ANN]);
    await t.rows(`ALTER TABLE subscription ADD CONSTRAINT no_ann CHECK (user_id <> '${ANN}')`);
    const node = t.nodes[1];

    const run = await node.run('reconcile', NEVER);

    expect(run).toMatchObject({ outcome: 'succeeded', result: { found: 2, failed: 1 } });
    expect(await t.standingOf(BEA)).not.toBe('missing');
  });

  test('counts who has more than their plan includes, and who pays twice, as somebody did by hand', async () => {
    await using t = await setUpBilling();
    const customer = await t.subscribe(ANN, 'large');
    await t.instances(ANN, [5_001, 5_002, 5_003]);
    const subscriptionId = await t.subscriptionId(ANN);
    await t.stripe.client.upgrade({ subscriptionId, priceId: 'price_small', key: 'by-hand' });
    await t.stripe.sdk.subscriptions.create({ customer, items: [{ price: 'price_small' }] });
    await t.node.run('reconcile', NEVER);
    await t.drain();
    await t.look(ANN);

    const run = await t.node.run('reconcile', NEVER);

    expect(run?.result).toMatchObject({ asked: 1, exceeding: 1, doubled: 1 });
    expect((await t.contextOf(ANN)).observed).toMatchObject({ exceedsPlan: true, others: 1 });
    expect(await t.rows('SELECT action, subject_id AS "subjectId" FROM audit_entry')).toEqual([
      { action: 'plan.exceeded', subjectId: ANN },
    ]);
  });

  test('runs once at a time', async () => {
    await using t = await setUpBilling();
    const path = /subscriptions/;
    const slow = t.lab.faults.plan({ kind: 'delay', ms: 300, method: 'GET', path });

    const first = t.node.run('reconcile', NEVER);
    await until(() => slow.fired === 1, { what: 'the first one to ask Stripe' });
    const second = await t.nodes[1].run('reconcile', NEVER);

    expect(second).toBeNull();
    expect(await first).toMatchObject({ outcome: 'succeeded' });
  });

  test('fails by name when Stripe is away, and the next one succeeds', async () => {
    await using t = await setUpBilling();
    const path = /subscriptions/;
    const outage = t.lab.faults.plan({ kind: 'drop_before', method: 'GET', path, times: 10 });

    const failed = await t.node.run('reconcile', NEVER);

    expect(failed).toMatchObject({ outcome: 'failed', result: { error: 'UpstreamError' } });
    expect(outage.fired).toBeGreaterThan(0);
    outage.cancel();
    expect(await t.nodes[1].run('reconcile', NEVER)).toMatchObject({ outcome: 'succeeded' });
  });
});

test('the end of a trial is mailed about once, and not too early', async () => {
  await using t = await setUpBilling();
  await t.addUser(ANN);
  const customer = await t.node.enroll(ANN);
  const items = [{ price: 'price_small' }];
  await t.stripe.sdk.subscriptions.create({ customer, items, trial_period_days: 14 });
  await t.look(ANN);

  const early = await t.node.run('reminders', NEVER);
  const none = await t.rows('SELECT FROM mail');
  t.lab.advance(12 * DAY_MS);
  const due = await t.node.run('reminders', NEVER);
  await t.nodes[1].run('reminders', NEVER);

  expect([early?.result, due?.result]).toEqual([
    { trialing: 1, due: 0 },
    { trialing: 1, due: 1 },
  ]);
  expect(none).toEqual([]);
  expect(await t.rows('SELECT kind, recipient FROM mail')).toEqual([
    { kind: 'trial_ending', recipient: 'u-ann@zpack.test' },
  ]);
});

test('a trial that has ended, or whose owner pays nothing, is not mailed about', async () => {
  await using t = await setUpBilling();
  const items = [{ price: 'price_small' }];
  for (const userId of [ANN, BEA]) {
    await t.addUser(userId);
    const customer = await t.node.enroll(userId);
    await t.stripe.sdk.subscriptions.create({ customer, items, trial_period_days: 1 });
    await t.look(userId);
  }
  await t.addUser(BEA, 'admin');

  const due = await t.node.run('reminders', NEVER);
  await t.rows('DELETE FROM mail');
  t.lab.advance(2 * DAY_MS);
  const late = await t.node.run('reminders', NEVER);

  expect([due?.result, late?.result]).toEqual([
    { trialing: 2, due: 1 },
    { trialing: 2, due: 0 },
  ]);
  expect(await t.rows('SELECT FROM mail')).toEqual([]);
});

test('events and runs are forgotten after ninety days, but none that nobody has acted on', async () => {
  await using t = await setUpBilling();
  const createdAt = Date.now();
  for (const id of ['evt_1', 'evt_2', 'evt_3']) {
    const event = { id, type: 'price.updated', customerId: null, createdAt, payload: {} };
    await t.node.events.store(event);
  }
  await t.node.events.settle(['evt_1', 'evt_2'], 'ignored');
  await t.node.run('reminders', NEVER);
  const old = `now() - interval '91 days'`;
  await t.rows(`UPDATE stripe_event SET received_at = ${old} WHERE id <> 'evt_2'`);
  await t.rows(`UPDATE billing_run SET finished_at = ${old}`);

  const run = await t.node.run('expiry', NEVER);

  expect(run?.result).toEqual({ events: 1, runs: 1 });
  expect(await t.rows('SELECT id FROM stripe_event ORDER BY id')).toEqual([
    ...[{ id: 'evt_2' }, { id: 'evt_3' }],
  ]);
});

describe('a role that changes', () => {
  test('left what was suspended before off, and what was to be suspended on', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001]);
    await t.ends(ANN);
    await t.drain();
    await t.addUser(ANN, 'admin');

    await Promise.all(t.nodes.map((node) => node.tellEntitlements(NEVER)));
    await t.drain();

    expect(await t.entitlementOf(5_001)).toMatchObject({ order: 2, suspendedAt: null });
    await t.addUser(ANN, 'user');
    await t.node.tellEntitlements(NEVER);
    await t.drain();
    expect(await t.entitlementOf(5_001)).toMatchObject({ order: 3, reason: 'subscription_ended' });
    await t.node.tellEntitlements(NEVER);
    expect(await t.told(5_001, 'entitlement.suspended')).toBe(2);
    const actions = await t.rows('SELECT action FROM audit_entry ORDER BY at, key');
    expect(actions.map(({ action }) => action)).toEqual([
      ...['containers.suspended', 'containers.restored', 'containers.suspended'],
    ]);
  });
});

describe('an instance that was made while something was decided about its owner', () => {
  test('is told of it later, once', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001]);
    await t.ends(ANN);
    await t.drain();
    await t.instances(ANN, [5_002]);

    await Promise.all(t.nodes.map((node) => node.tellEntitlements(NEVER)));
    await t.node.tellEntitlements(NEVER);

    expect(await t.entitlementOf(5_002)).toMatchObject({
      ...{ order: 1, reason: 'subscription_ended', suspendedAt: expect.any(Number) },
    });
    for (const vmid of [5_001, 5_002]) {
      expect(await t.told(vmid, 'entitlement.suspended')).toBe(1);
    }
  });

  test('was deleted by the next sweep, made by an administrator for whoever had not paid', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    await t.drain();
    await t.rows(EXPIRED, [ANN]);
    await t.instances(ANN, [5_001]);

    await Promise.all(t.nodes.map((node) => node.tellEntitlements(NEVER)));

    expect(await t.told(5_001, 'delete.requested')).toBe(0);
    expect(await t.entitlementOf(5_001)).toMatchObject({ reason: 'subscription_ended' });
  });

  test('kept others from being told that came after it', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    await t.drain();
    await t.instances(ANN, [5_001, 5_002]);
    const { machineVersion } = definitions.instance;
    await t.belongTo('container_instance', idOf(5_001), machineVersion + 1);

    await expect(t.node.tellEntitlements(NEVER)).rejects.toMatchObject({ code: 'unavailable' });

    expect(await t.entitlementOf(5_002)).toMatchObject({ order: 1 });
  });
});
