import Stripe from 'stripe';
import { describe, expect, test } from 'vitest';

import { createStripeClient } from '../../src/clients/stripe/client.ts';

const SECRET = 'whsec_right';
const NOW = Date.UTC(2026, 0, 15, 12);

function setUp() {
  const client = createStripeClient({
    baseUrl: new URL('http://127.0.0.1:9'),
    secretKey: 'sk_test_x',
    webhookSecret: SECRET,
    timeoutMs: 1_000,
    now: () => NOW,
  });
  const sign = (payload: string, { secret = SECRET, at = NOW } = {}) =>
    Stripe.webhooks.generateTestHeaderString({ payload, secret, timestamp: at / 1000 });
  return { client, sign, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

const event = (object: object) => ({
  id: 'evt_1',
  object: 'event',
  type: 'customer.subscription.updated',
  created: 1_700_000_000,
  data: { object },
});
const BODY = JSON.stringify(event({ id: 'sub_1', object: 'subscription', customer: 'cus_1' }));

describe('an event', () => {
  test.each([
    ['by the name of its customer', { id: 'sub_1', customer: 'cus_1' }, 'cus_1'],
    ['with the customer in it', { id: 'sub_1', customer: { id: 'cus_1' } }, 'cus_1'],
    ['of the customer itself', { id: 'cus_1', object: 'customer' }, 'cus_1'],
    ['of nobody', { id: 'price_1', object: 'price' }, null],
    ['of an object without a customer yet', { id: 'cs_1', customer: null }, null],
  ])('is read %s', async (_, object, customerId) => {
    await using t = setUp();
    const secrets = { url: 'https://pay.test/opens-a-page', client_secret: 'x' };
    const body = JSON.stringify(event({ ...object, ...secrets }));

    const read = t.client.readEvent(Buffer.from(body), t.sign(body));

    expect(read).toEqual({
      id: 'evt_1',
      type: 'customer.subscription.updated',
      createdAt: 1_700_000_000_000,
      customerId,
      payload: { id: object.id, object: 'object' in object ? object.object : null },
    });
  });

  test('is believed for 300 seconds', async () => {
    await using t = setUp();
    const read = (ageS: number) =>
      t.client.readEvent(Buffer.from(BODY), t.sign(BODY, { at: NOW - ageS * 1000 }));

    expect(read(300).id).toBe('evt_1');
    expect(() => read(301)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  test('with one right signature of several is believed, as while a secret changes', async () => {
    await using t = setUp();
    const other = t.sign(BODY, { secret: 'whsec_other' }).split(',')[1];

    const read = t.client.readEvent(Buffer.from(BODY), `${t.sign(BODY)},${other}`);

    expect(read.id).toBe('evt_1');
  });

  test.each([
    ['tampered with', (sign: string) => sign, BODY.replace('cus_1', 'cus_2')],
    ['signed by somebody else', () => '', BODY],
    ['signed with garbage', () => 'garbage', BODY],
    ['signed with half a signature', (sign: string) => sign.split(',')[0], BODY],
    ['signed by another scheme', (sign: string) => sign.replace('v1=', 'v0='), BODY],
    ['not signed', () => undefined, BODY],
    ['empty', (sign: string) => sign, ''],
  ])('that is %s is refused without a word of what it says', async (_, signed, body) => {
    await using t = setUp();

    const read = () => t.client.readEvent(Buffer.from(body), signed(t.sign(BODY)));

    const error = catchError(read);
    expect(error).toMatchObject({ code: 'invalid_input' });
    const all = `${error.stack} ${(error.cause as Error).stack} ${JSON.stringify(error)}`;
    expect(all).not.toMatch(/whsec|cus_|v1=/);
  });

  test.each(['{}', 'null', '[]', 'not JSON', '{"id":"evt_1","type":"x","created":1}'])(
    'that says %s is refused, whoever signed it',
    async (body) => {
      await using t = setUp();

      const read = () => t.client.readEvent(Buffer.from(body), t.sign(body));

      expect(catchError(read)).toMatchObject({ code: 'invalid_input' });
    },
  );
});

function catchError(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
