import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Stripe from 'stripe';
import { expect, test } from 'vitest';

import { startStripe } from '../../lab/stripe/server.ts';
import { setUpStripe } from '../clients/stripe-world.ts';
import { until } from '../support/until.ts';

/** Somebody who receives events; `statuses` are his first answers, and then 200. */
async function startReceiver(statuses: readonly number[] = []) {
  const received: { readonly text: string; readonly signature: string }[] = [];
  const answers = [...statuses];
  const server = createServer(async (request, response) => {
    const chunks = await Array.fromAsync(request);
    const signature = String(request.headers['stripe-signature']);
    received.push({ text: Buffer.concat(chunks).toString(), signature });
    response.writeHead(answers.shift() ?? 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/webhook`,
    received,
    ids: () => received.map(({ text }) => (JSON.parse(text) as Stripe.Event).id),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function setUp({ statuses = [] as readonly number[], attemptsMax = 5 } = {}) {
  await using opened = new AsyncDisposableStack();
  const receiver = opened.use(await startReceiver(statuses));
  const world = opened.use(
    await setUpStripe({
      webhookUrl: receiver.url,
      webhookRetryMs: 5,
      webhookAttemptsMax: attemptsMax,
    }),
  );
  const { webhooks } = world.lab;
  const closing = opened.move();
  return {
    ...{ receiver, world, webhooks },
    settled: () => until(() => webhooks.waiting() === 0, { what: 'all events to be delivered' }),
    happened: async () =>
      (await world.sdk.events.list({ limit: 100 })).data.map(({ id }) => id).toReversed(),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

test('events arrive in their order, signed as the SDK expects it', async () => {
  await using t = await setUp();

  await t.world.buy('u-1');
  await t.settled();

  expect(t.receiver.ids()).toEqual(await t.happened());
  const { webhookSecret } = t.world.lab;
  const events = t.receiver.received.map(({ text, signature }) =>
    Stripe.webhooks.constructEvent(text, signature, webhookSecret),
  );
  expect(events.map(({ type }) => type)).toEqual([
    'customer.created',
    'customer.updated',
    'customer.subscription.created',
    'invoice.created',
    'invoice.finalized',
    'invoice.paid',
    'invoice.payment_succeeded',
    'checkout.session.completed',
  ]);
  expect(t.webhooks.sent().every(({ status, attempt }) => status === 200 && attempt === 1)).toBe(
    true,
  );
});

test('our client reads them', async () => {
  await using t = await setUp();

  const { customerId } = await t.world.buy('u-1');
  await t.settled();

  const read = t.receiver.received.map(({ text, signature }) =>
    t.world.client.readEvent(Buffer.from(text), signature),
  );
  expect(new Set(read.map((one) => one.customerId))).toEqual(new Set([customerId]));
});

test('a change says what was before', async () => {
  await using t = await setUp();
  const { subscriptionId } = await t.world.buy('u-1', 'price_small');

  await t.world.sdk.subscriptions.update(subscriptionId, { cancel_at_period_end: true });
  await t.settled();

  const last = JSON.parse(t.receiver.received.at(-1)?.text ?? '') as Stripe.Event;
  expect(last).toMatchObject({
    type: 'customer.subscription.updated',
    data: {
      object: { cancel_at_period_end: true },
      previous_attributes: { cancel_at_period_end: false, cancel_at: null },
    },
  });
});

test('what is refused is delivered again, until it is taken', async () => {
  await using t = await setUp({ statuses: [500, 404] });

  await t.world.sdk.customers.create({ email: 'a@z.test' });
  await t.settled();

  const attempts = t.webhooks.sent().map(({ attempt, status }) => [attempt, status]);
  expect(attempts).toEqual([
    [1, 500],
    [2, 404],
    [3, 200],
  ]);
  expect(new Set(t.receiver.ids()).size).toBe(1);
});

test('what is refused too often is given up', async () => {
  await using t = await setUp({ statuses: [500, 500, 500], attemptsMax: 3 });

  await t.world.sdk.customers.create({ email: 'a@z.test' });
  await t.settled();

  expect(t.webhooks.sent().map(({ status }) => status)).toEqual([500, 500, 500]);
});

test('nobody there is an attempt without an answer', async () => {
  await using t = await setUp({ attemptsMax: 1 });
  t.webhooks.sendTo('http://127.0.0.1:9/');

  await t.world.sdk.customers.create({ email: 'a@z.test' });
  await t.settled();

  expect(t.webhooks.sent()).toMatchObject([{ status: null, type: 'customer.created' }]);
});

test('what happens during a pause arrives after it, in any order that we like', async () => {
  await using t = await setUp();
  t.webhooks.pause();
  await t.world.buy('u-1');
  const waiting = t.webhooks.waiting();

  t.webhooks.shuffle(7);
  t.webhooks.resume();
  await t.settled();

  const happened = await t.happened();
  expect(waiting).toBe(happened.length);
  expect(t.receiver.ids()).not.toEqual(happened);
  expect(t.receiver.ids().toSorted()).toEqual(happened.toSorted());
});

test('what has arrived arrives again, one or all', async () => {
  await using t = await setUp();
  await t.world.sdk.customers.create({ email: 'a@z.test' });
  await t.world.sdk.customers.create({ email: 'b@z.test' });
  await t.settled();
  const [first = '', second = ''] = t.receiver.ids();

  t.webhooks.repeat([second]);
  await t.settled();
  t.webhooks.repeat();
  await t.settled();

  expect(t.receiver.ids()).toEqual([first, second, second, first, second]);
});

test('what was not delivered before a restart is delivered after it', async () => {
  await using t = await setUp();
  t.webhooks.pause();
  await t.world.sdk.customers.create({ email: 'a@z.test' });
  await t.world.lab[Symbol.asyncDispose]();

  const webhookUrl = t.receiver.url;
  await using lab = await startStripe({ dataDir: t.world.dataDir, webhookUrl });
  await until(() => lab.webhooks.waiting() === 0, { what: 'the event' });

  expect(t.receiver.received).toHaveLength(1);
});
