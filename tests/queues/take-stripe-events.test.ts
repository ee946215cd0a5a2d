import { expect, test } from 'vitest';

import { definitions, subscriptionOf } from '../../src/machines/index.ts';
import { createStripeEventsSweep } from '../../src/queues/workers/take-stripe-events.ts';
import { NEVER, setUpBilling } from './billing-world.ts';

const { machineVersion } = definitions.subscription;
const [ANN, BEA] = ['u-ann', 'u-bea'];

/** Events are stored as the webhook does it; nobody has acted on them. */
async function setUp() {
  const t = await setUpBilling();
  let count = 0;
  return {
    ...t,
    async store(customerId: string | null, type = 'customer.subscription.updated') {
      count += 1;
      const id = `evt_${String(count).padStart(4, '0')}`;
      const payload = { id, type };
      await t.node.events.store({ id, type, customerId, createdAt: Date.now(), payload });
      return id;
    },
    states: () => t.rows('SELECT id, state, attempts FROM stripe_event ORDER BY id'),
    left: async () => (await t.rows(`SELECT FROM stripe_event WHERE state = 'received'`)).length,
    versionOf: async (userId: string) => (await t.node.actors.read(subscriptionOf(userId))).version,
  };
}

test('events of one customer are one reason to look', async () => {
  await using t = await setUp();
  const customer = await t.subscribe(ANN);
  const before = await t.versionOf(ANN);
  for (const type of ['invoice.paid', 'customer.subscription.updated', 'invoice.created']) {
    await t.store(customer, type);
  }

  await t.node.takeEvents(NEVER);

  expect(await t.versionOf(ANN)).toBe(before + 1);
  expect(await t.effects()).toMatchObject([{ params: { kind: 'stripe.read' } }]);
  expect((await t.states()).map(({ state }) => state)).toEqual(Array(3).fill('processed'));
});

test('what says nothing of a subscription, or of nobody of ours, is kept and ignored', async () => {
  await using t = await setUp();
  const customer = await t.subscribe(ANN);
  const before = await t.versionOf(ANN);
  await t.store(customer, 'charge.refunded');
  await t.store(customer, 'a.type.that.is.new');
  await t.store('cus_of_somebody_else');
  await t.store(null, 'price.updated');
  await t.store(null);

  await t.node.takeEvents(NEVER);

  expect((await t.states()).map(({ state }) => state)).toEqual(Array(5).fill('ignored'));
  expect(await t.versionOf(ANN)).toBe(before);
  expect(await t.effects()).toEqual([]);
});

test('an event of a customer whose actor is missing is ignored, and a comparison makes up for it', async () => {
  await using t = await setUp();
  const customer = await t.subscribe(ANN);
  await t.loseActors();
  await t.store(customer);

  await t.nodes[1].takeEvents(NEVER);
  expect((await t.states()).map(({ state }) => state)).toEqual(['ignored']);
  await t.nodes[1].run('reconcile', NEVER);
  await t.drain('%', t.nodes[1]);

  expect(await t.standingOf(ANN)).toBe('active');
});

test('a worker that dies before it has settled what it told is repeated, and nothing changes', async () => {
  await using t = await setUp();
  const customer = await t.subscribe(ANN);
  await t.store(customer);
  const dying = createStripeEventsSweep({
    ...t.node,
    events: { ...t.node.events, settle: () => Promise.reject(new Error('it has died')) },
  });

  await expect(dying(NEVER)).rejects.toThrow('it has died');
  expect(await t.left()).toBe(1);
  await t.drain();
  const told = await t.contextOf(ANN);
  await t.nodes[1].takeEvents(NEVER);
  await t.drain();

  expect(await t.left()).toBe(0);
  const { observed, order } = await t.contextOf(ANN);
  expect({ observed, order }).toEqual({ observed: told.observed, order: told.order });
  expect(await t.standingOf(ANN)).toBe('active');
});

test('two workers at once settle each event once, and read what there is', async () => {
  await using t = await setUp();
  const customers = [await t.subscribe(ANN), await t.subscribe(BEA, 'large')];
  for (let n = 0; n < 450; n += 1) await t.store(customers[n % 2] ?? null);

  await Promise.all(t.nodes.map((node) => node.takeEvents(NEVER)));
  await t.drain();

  expect(await t.left()).toBe(0);
  const states = await t.states();
  expect(new Set(states.map(({ state, attempts }) => `${state} ${attempts}`))).toEqual(
    new Set(['processed 1']),
  );
  expect([await t.standingOf(ANN), await t.standingOf(BEA)]).toEqual(['active', 'active']);
});

test('events of a customer whose actor could not be told kept everybody else’s waiting', async () => {
  await using t = await setUp();
  const [ann, bea] = [await t.subscribe(ANN), await t.subscribe(BEA)];
  for (let n = 0; n < 210; n += 1) await t.store(ann);
  await t.store(bea);
  await t.store('cus_of_somebody_else');
  const before = await t.versionOf(BEA);
  await t.belongTo('subscription', `sub-${ANN}`, machineVersion + 1);

  await expect(t.nodes[1].takeEvents(NEVER)).rejects.toMatchObject({ code: 'unavailable' });

  expect(await t.left()).toBe(210);
  expect(await t.versionOf(BEA)).toBe(before + 1);
  await t.belongTo('subscription', `sub-${ANN}`, machineVersion);
  await t.nodes[1].takeEvents(NEVER);
  expect(await t.left()).toBe(0);
});
