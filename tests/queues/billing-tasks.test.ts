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
      ...{ outcome: 'succeeded', result: { asked: 2, failed: 0, found: 0, strangers: 0 } },
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

    expect(first?.result).toEqual({ asked: 0, failed: 0, found: 1, strangers: 2 });
    expect(second?.result).toEqual({ asked: 1, failed: 0, found: 0, strangers: 2 });
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

describe('an instance that was made while something was decided about its owner', () => {
  test('is told of it later, once', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.instances(ANN, [5_001]);
    await t.ends(ANN);
    await t.drain();
    await t.instances(ANN, [5_002]);

    await Promise.all(t.nodes.map((node) => node.tellUntold(NEVER)));
    await t.node.tellUntold(NEVER);

    expect(await t.entitlementOf(5_002)).toMatchObject({
      ...{ order: 1, reason: 'subscription_ended', suspendedAt: expect.any(Number) },
    });
    for (const vmid of [5_001, 5_002]) {
      expect(await t.told(vmid, 'entitlement.suspended')).toBe(1);
    }
  });

  test('was suspended although its owner is an administrator by now', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    await t.drain();
    await t.addUser(ANN, 'admin');
    await t.instances(ANN, [5_001]);

    await t.node.tellUntold(NEVER);

    expect(await t.entitlementOf(5_001)).toMatchObject({ order: 1, suspendedAt: null });
  });

  test('was kept for ever when the others were deleted', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    await t.drain();
    await t.rows(EXPIRED, [ANN]);
    await t.instances(ANN, [5_001]);

    await Promise.all(t.nodes.map((node) => node.tellUntold(NEVER)));

    expect(await t.told(5_001, 'delete.requested')).toBe(1);
  });

  test('kept others from being told that came after it', async () => {
    await using t = await setUpBilling();
    await t.subscribe(ANN);
    await t.ends(ANN);
    await t.drain();
    await t.instances(ANN, [5_001, 5_002]);
    const { machineVersion } = definitions.instance;
    await t.belongTo('container_instance', idOf(5_001), machineVersion + 1);

    await expect(t.node.tellUntold(NEVER)).rejects.toMatchObject({ code: 'unavailable' });

    expect(await t.entitlementOf(5_002)).toMatchObject({ order: 1 });
  });
});
