import { afterAll, expect, test } from 'vitest';

import { ADMIN, ALICE, BOB } from '../support/app.ts';
import { press } from '../support/form.ts';
import { until } from '../support/until.ts';
import { DAY_MS, order, startBillingWorld, WAIT } from './billing-world.ts';

const world = await startBillingWorld();
afterAll(() => world[Symbol.asyncDispose]());
const { app, stripe } = world;
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];

test('whoever pays nothing may have nothing, and an administrator what they want', async () => {
  const refused = await bob.call('POST', '/api/instances', { body: order() });
  const made = await admin.call('POST', '/api/instances', { body: order() });
  const forBob = await admin.call('POST', '/api/instances', {
    body: { ...order(), customerId: BOB },
  });

  expect(refused).toMatchObject({
    status: 402,
    body: {
      error: 'plan_limit_reached',
      plan: null,
      limits: { slots: 0, memoryMiB: 0 },
      used: { slots: 0, memoryMiB: 0 },
      wanted: { slots: 1, memoryMiB: 512 },
    },
  });
  expect([made.status, forBob.status]).toEqual([202, 202]);
  expect(await world.billingOf(admin)).toMatchObject({ status: 'exempt', limits: null });
  expect(await world.billingOf(bob)).toMatchObject({ status: 'none', used: { slots: 1 } });
  const exempt = await admin.call('POST', '/api/billing/checkout', { body: {} });
  expect(exempt.body).toMatchObject({ error: 'plan_change_refused', reason: 'exempt' });
});

test('what was bought may be used, and no more; upgraded at once, and downgraded at the end of the period', async () => {
  // As the present Portal sends them: one says JSON and sends nothing, the other says form.
  const headers = { 'content-type': 'application/json' };
  const checkout = await alice.call('POST', '/api/billing/checkout', { headers });
  expect(checkout).toMatchObject({ status: 200, body: { ok: true } });
  await press(checkout.body.url, 'Pay');
  const bought = await world.settles(alice, 'it to be paid', ({ status }) => status === 'active');
  expect(bought).toMatchObject({
    plan: { id: 'small', price: 5, currency: 'eur' },
    limits: { slots: 1, memoryMiB: 1_024 },
    used: { slots: 0, memoryMiB: 0 },
    pendingChange: null,
  });
  const me = await alice.call('GET', '/api/auth/me');
  expect(me.body.user).toMatchObject({ billing_status: 'active', suspended_at: null });
  const profile = await alice.call('GET', '/api/users/profile');
  expect(profile.body).toMatchObject({ plan_name: 'Small', plan_price: 5 });

  const first = await alice.call('POST', '/api/instances', { body: order() });
  const second = await alice.call('POST', '/api/instances', { body: order() });
  expect(first.status).toBe(202);
  expect(second.body).toMatchObject({ error: 'plan_limit_reached', plan: 'small' });
  const again = await alice.call('POST', '/api/billing/checkout', { body: {} });
  expect(again.body).toMatchObject({ reason: 'already_subscribed' });

  const key = { 'idempotency-key': 'upgrade-1' };
  const upgrade = { body: { plan: 'large' }, headers: key };
  const upgraded = await alice.call('POST', '/api/billing/upgrade', upgrade);
  const repeated = await alice.call('POST', '/api/billing/upgrade', upgrade);
  const reused = await alice.call('POST', '/api/billing/upgrade', {
    ...{ body: { plan: 'medium' }, headers: key },
  });
  expect(upgraded).toMatchObject({
    status: 200,
    body: { plan: { id: 'large' }, change: { kind: 'upgrade', state: 'succeeded' } },
  });
  expect(repeated.body.change.id).toBe(upgraded.body.change.id);
  expect(reused.status).toBe(422);
  const lines = await linesOfLatestInvoice();
  expect(lines.map(({ proration }) => proration)).toEqual([true, true]);
  expect(lines[0]?.amount).toBeLessThan(0);
  expect(lines[1]?.amount).toBeGreaterThan(1_000);

  const third = await alice.call('POST', '/api/instances', { body: order(1_024) });
  expect(third.status).toBe(202);
  const tooSmall = await alice.call('POST', '/api/billing/downgrade', { body: { plan: 'small' } });
  expect(tooSmall.body).toMatchObject({
    error: 'plan_change_refused',
    reason: 'exceeds_use',
    used: { slots: 2, memoryMiB: 1_536 },
    limits: { slots: 1, memoryMiB: 1_024 },
  });
  const planned = await alice.call('POST', '/api/billing/downgrade', { body: { plan: 'medium' } });
  expect(planned.body).toMatchObject({
    plan: { id: 'large' },
    pendingChange: { planId: 'medium', at: planned.body.periodEnd },
  });
  const other = await alice.call('POST', '/api/billing/downgrade', { body: { plan: null } });
  expect(other.body.reason).toBe('change_pending');
  // What is made now would be left over when the smaller plan begins.
  const beyond = await alice.call('POST', '/api/instances', { body: order() });
  expect(beyond.body).toMatchObject({ error: 'plan_limit_reached', limits: { slots: 2 } });
  const kept = await alice.call('DELETE', '/api/billing/downgrade');
  expect(kept.body).toMatchObject({ plan: { id: 'large' }, pendingChange: null });
  await alice.call('POST', '/api/billing/downgrade', { body: { plan: 'medium' } });

  stripe.advance(32 * DAY_MS);

  const smaller = await world.settles(
    alice,
    'the period to end',
    ({ plan }) => plan?.id === 'medium',
  );
  expect(smaller).toMatchObject({ status: 'active', pendingChange: null, limits: { slots: 2 } });
  expect(smaller.isOverLimit).toBe(false);
  const plans = app.database.prisma.plan;
  await plans.update({ where: { id: 'medium' }, data: { slots: 1 } });
  expect(await world.billingOf(alice)).toMatchObject({ isOverLimit: true, used: { slots: 2 } });
  await plans.update({ where: { id: 'medium' }, data: { slots: 2 } });
  expect(await actionsOf(ALICE)).toEqual(
    expect.arrayContaining(['checkout.opened', 'plan_change.requested']),
  );
});

test('an upgrade to a plan that is not sold reached Stripe', async () => {
  const special = {
    ...{ id: 'special', name: 'Special', slots: 99, memoryMiB: 9_999 },
    position: 9,
  };
  const priced = { priceCents: 1, currency: 'eur', stripePriceId: null, isDefault: false };
  await app.database.prisma.plan.create({ data: { ...special, ...priced } });

  const answer = await alice.call('POST', '/api/billing/upgrade', { body: { plan: 'special' } });

  expect(answer).toMatchObject({ status: 404, body: { error: 'not_found' } });
  await app.database.prisma.plan.delete({ where: { id: 'special' } });
});

/** What the audit says of an account, the latest first. */
async function actionsOf(userId: string): Promise<readonly string[]> {
  const { body } = await admin.call('GET', `/api/admin/audit?limit=200&subjectId=${userId}`);
  return (body.entries as readonly { action: string }[]).map(({ action }) => action);
}

// biome-ignore lint/suspicious/noExplicitAny: what Stripe says, as the stand-in says it
async function askStripe(path: string): Promise<any> {
  const headers = { authorization: `Bearer ${stripe.secretKey}` };
  return (await fetch(new URL(path, stripe.url), { headers })).json();
}

/** As the stand-in has it. */
async function linesOfLatestInvoice(): Promise<
  readonly { readonly amount: number; readonly proration: boolean }[]
> {
  const customer = await world.customerOf();
  const { data } = await askStripe(`/v1/invoices?customer=${customer}&limit=1`);
  return data[0].lines.data.map(
    // biome-ignore lint/suspicious/noExplicitAny: the same
    (line: any) => ({
      amount: line.amount,
      proration: Boolean(line.parent?.subscription_item_details?.proration),
    }),
  );
}

test('a payment that fails is waited for with reminders; then containers stop, and run again when it is paid', async () => {
  const one = { ...order(), customerId: BOB };
  expect((await admin.call('POST', '/api/instances', { body: one })).status).toBe(202);
  const small = await bob.call('POST', '/api/billing/checkout', { body: { plan: 'small' } });
  expect(small.body).toMatchObject({ reason: 'exceeds_use', used: { slots: 2 } });
  await world.buy(bob, 'large');
  const vmid = await world.create(bob);
  const idle = await world.create(bob);
  await bob.call('POST', `/api/servers/${idle}/host/stop`, { headers: WAIT });
  expect([world.isOn(vmid), world.isOn(idle)]).toEqual([true, false]);
  stripe.setCard(await world.customerOf(BOB), 'declining');

  stripe.advance(32 * DAY_MS);

  await world.settles(bob, 'the payment to fail', ({ status }) => status === 'past_due');
  expect(world.isOn(vmid)).toBe(true);
  const suspended = await world.settles(
    bob,
    'the suspension',
    ({ status }) => status === 'suspended',
  );
  expect(Date.parse(suspended.keptUntil) - Date.parse(suspended.suspendedAt)).toBe(30 * DAY_MS);
  await until(() => !world.isOn(vmid), { what: 'the container to stop', timeoutMs: 15_000 });
  const me = await bob.call('GET', '/api/auth/me');
  expect(me.body.user).toMatchObject({
    billing_status: 'suspended',
    suspended_at: suspended.suspendedAt,
  });
  const start = await until(
    async () => {
      const answer = await bob.call('POST', `/api/servers/${vmid}/host/start`);
      return answer.body.reason === 'suspended' && answer;
    },
    { what: 'the start to be refused' },
  );
  expect(start.status).toBe(409);
  const create = await bob.call('POST', '/api/instances', { body: order() });
  expect(create).toMatchObject({
    status: 402,
    body: { error: 'account_suspended', keptUntil: suspended.keptUntil },
  });
  const { conditions } = (await bob.call('GET', `/api/servers/${vmid}/status`)).body;
  expect(conditions).toContainEqual(
    expect.objectContaining({ type: 'Entitled', status: 'False', reason: 'payment_due' }),
  );
  const mails = await until(() => world.mail.mails().length >= 3 && world.mail.mails(), {
    what: 'two reminders and the notice',
  });
  expect(mails.map(({ to }) => to)).toEqual(Array(3).fill(['bob@zpack.test']));
  expect(new Set(mails.map(({ subject }) => subject)).size).toBeGreaterThanOrEqual(2);

  const portal = await bob.call('POST', '/api/billing/portal', {
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  await press(portal.body.url, 'A good card');
  await press(portal.body.url, 'Pay what is owed');

  await world.settles(bob, 'the payment to arrive', ({ status }) => status === 'active');
  await until(() => world.isOn(vmid), { what: 'the container to run again', timeoutMs: 15_000 });
  expect(world.isOn(idle)).toBe(false);
  // It is on before we have been told that it is.
  await until(
    async () => {
      const stop = await bob.call('POST', `/api/servers/${vmid}/host/stop`, { headers: WAIT });
      return stop.status === 200;
    },
    { what: 'its owner to stop it' },
  );
  expect(world.isOn(vmid)).toBe(false);
});

test('a customer who was made an administrator while suspended stayed stopped', async () => {
  const [{ vmid }] = (await alice.call('GET', '/api/instances')).body.rows;
  await until(() => world.isOn(vmid), { what: 'the container to run' });
  const giveRole = (role: string) =>
    admin.call('PATCH', `/api/admin/users/${ALICE}`, { body: { role } });
  stripe.setCard(await world.customerOf(), 'declining');
  stripe.advance(32 * DAY_MS);
  await until(() => !world.isOn(vmid), { what: 'the container to stop', timeoutMs: 15_000 });

  await giveRole('admin');
  await until(() => world.isOn(vmid), { what: 'it to run again', timeoutMs: 15_000 });
  await giveRole('user');
  await until(() => !world.isOn(vmid), { what: 'it to stop again', timeoutMs: 15_000 });

  const { status } = await world.billingOf(await app.signIn(ALICE));
  expect(['suspended', 'canceled']).toContain(status);
});

test('what nobody pays for is deleted when its time is over, and the rest of the account stays', async () => {
  const [before] = (await bob.call('GET', '/api/instances')).body.rows;
  stripe.setCard(await world.customerOf(BOB), 'declining');
  stripe.advance(32 * DAY_MS);
  await world.settles(bob, 'the suspension', ({ status }) => status === 'suspended');
  const subscription = `/v1/subscriptions?status=all&customer=${await world.customerOf(BOB)}`;

  await app.database.pool.query(
    `UPDATE timer SET due_at = now() WHERE instance_id = $1 AND timer_id LIKE '%keepDeadline%'`,
    [`sub-${BOB}`],
  );

  await world.settles(bob, 'the end', ({ status }) => status === 'expired');
  await until(async () => (await bob.call('GET', '/api/instances')).body.rows.length === 0, {
    what: 'the containers to be deleted',
    timeoutMs: 20_000,
  });
  expect(before).toBeDefined();
  await until(async () => (await askStripe(subscription)).data[0].status === 'canceled', {
    what: 'the subscription to end at Stripe, too',
  });
  const actions = await until(
    async () => {
      const found = await actionsOf(BOB);
      return found.includes('subscription.canceled') && found;
    },
    { what: 'the audit to say so' },
  );
  expect(actions).toEqual(
    expect.arrayContaining(['containers.suspended', 'containers.restored', 'containers.expired']),
  );
  expect((await bob.call('GET', '/api/auth/me')).status).toBe(200);
});
