import { afterAll, expect, test } from 'vitest';

import { ALICE, BOB } from '../support/app.ts';
import { press } from '../support/form.ts';
import { startBillingWorld } from './billing-world.ts';

const world = await startBillingWorld();
afterAll(() => world[Symbol.asyncDispose]());
const { app, stripe } = world;
const [alice, bob] = [await app.signIn(ALICE), await app.signIn(BOB)];

const LISTING = { method: 'GET', path: /^\/v1\/subscriptions$/ } as const;
const SORRY = { kind: 'status', status: 500, text: '{"error":{"type":"api_error"}}' } as const;

test('an upgrade was answered with the plan before it while Stripe could not be read', async () => {
  await world.buy(alice, 'small');
  const outage = stripe.faults.plan({ ...LISTING, ...SORRY, times: 2 });

  const upgraded = await alice.call('POST', '/api/billing/upgrade', { body: { plan: 'large' } });

  expect(outage.fired).toBe(2);
  expect(upgraded).toMatchObject({
    status: 200,
    body: { plan: { id: 'large' }, change: { state: 'succeeded' } },
  });
});

test('whoever had bought could buy once more before we had heard of it', async () => {
  stripe.webhooks.pause();
  const checkout = (plan: string) => bob.call('POST', '/api/billing/checkout', { body: { plan } });
  const [first, second] = [await checkout('small'), await checkout('large')];

  await press(second.body.url, 'Pay');
  const third = await checkout('small');

  await expect(press(first.body.url, 'Pay')).rejects.toThrow('there is no button');
  expect(third).toMatchObject({
    status: 409,
    body: { error: 'plan_change_refused', reason: 'already_subscribed' },
  });
  stripe.webhooks.resume();
  const paid = await world.settles(bob, 'it to be paid', ({ status }) => status === 'active');
  expect(paid.plan.id).toBe('large');
});
