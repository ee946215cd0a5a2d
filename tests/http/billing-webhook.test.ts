import Stripe from 'stripe';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';

import { listenTcp, splice } from '../../lab/sockets.ts';
import { startTestApp } from '../support/app.ts';

const SECRET = 'whsec_0123456789abcdef0123456789abcdef';
const BILLED = {
  STRIPE_URL: 'http://127.0.0.1:9',
  STRIPE_SECRET_KEY: 'sk_test_0123456789abcdef',
  STRIPE_WEBHOOK_SECRET: SECRET,
};
const PATH = '/api/billing/webhook';

const app = await startTestApp({ environment: BILLED });
afterAll(() => app[Symbol.asyncDispose]());
const stored = async () =>
  (await app.database.pool.query('SELECT id, type, customer_id, payload FROM stripe_event')).rows;
beforeEach(() => app.database.pool.query('DELETE FROM stripe_event'));

const eventOf = (id = 'evt_1') => ({
  ...{ id, object: 'event', type: 'invoice.paid', created: 1_700_000_000 },
  data: { object: { id: 'in_1', object: 'invoice', customer: 'cus_1' } },
});

const sign = (payload: string, { secret = SECRET, ageS = 0 } = {}) =>
  Stripe.webhooks.generateTestHeaderString({
    ...{ payload, secret, timestamp: Math.floor(Date.now() / 1000) - ageS },
  });

async function post(body: string | Buffer, signature: string | null, url = app.url) {
  const response = await fetch(new URL(PATH, url), {
    method: 'POST',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      ...(signature !== null && { 'stripe-signature': signature }),
    },
    body,
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
}

/** What is kept of it. */
const objectOf = ({
  data: { object },
}: {
  data: { object: { id?: string; object?: string } };
}) => ({
  ...{ id: object.id ?? null, object: object.object ?? null },
});

describe('an event', () => {
  test('is stored once, and told twice is known', async () => {
    const body = JSON.stringify(eventOf());

    const answers = [await post(body, sign(body)), await post(body, sign(body))];

    expect(answers.map(({ status, body: said }) => [status, said])).toEqual([
      [200, { ok: true, isNew: true }],
      [200, { ok: true, isNew: false }],
    ]);
    expect(await stored()).toEqual([
      { id: 'evt_1', type: 'invoice.paid', customer_id: 'cus_1', payload: objectOf(eventOf()) },
    ]);
  });

  test('told eight times at once is new once', async () => {
    const body = JSON.stringify(eventOf());

    const answers = await Promise.all(Array.from({ length: 8 }, () => post(body, sign(body))));

    expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200));
    expect(answers.filter(({ body: said }) => said['isNew'])).toHaveLength(1);
    expect(await stored()).toHaveLength(1);
  });

  test.each([
    ['with space in it', (text: string) => JSON.stringify(JSON.parse(text), null, 4)],
    ['in another order', (text: string) => reversed(JSON.parse(text))],
    ['with an escape for what needs none', (text: string) => text.replace('paid', '\\u0070aid')],
    ['with a newline at its end', (text: string) => `${text}\r\n`],
    ['with letters of several bytes', (text: string) => text.replace('in_1', 'in_ä😀')],
  ])('is believed as it came: %s', async (_, write) => {
    const body = write(JSON.stringify(eventOf()));

    const answer = await post(body, sign(body));

    expect(answer).toMatchObject({ status: 200, body: { isNew: true } });
    expect(await stored()).toMatchObject([{ id: 'evt_1', type: 'invoice.paid' }]);
  });

  test.each([
    ['without a signature', (body: string) => [body, null]],
    ['with an empty signature', (body: string) => [body, '']],
    ['signed by somebody else', (body: string) => [body, sign(body, { secret: 'whsec_x' })]],
    ['signed too long ago', (body: string) => [body, sign(body, { ageS: 301 })]],
    ['with a word changed', (body: string) => [body.replace('cus_1', 'cus_2'), sign(body)]],
    ['with a space added', (body: string) => [`${body} `, sign(body)]],
    ['signed and no JSON', () => ['no JSON', sign('no JSON')]],
    ['signed and no event', () => ['{"id":"evt_1"}', sign('{"id":"evt_1"}')]],
    ['without a body', () => ['', sign('')]],
  ] as [string, (body: string) => [string, string | null]][])(
    '%s is refused, and nothing is stored',
    async (_, give) => {
      const [body, signature] = give(JSON.stringify(eventOf()));

      const answer = await post(body, signature);

      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_input' } });
      expect(JSON.stringify(answer.body)).not.toMatch(/whsec|cus_|v1=/);
      expect(await stored()).toEqual([]);
    },
  );

  test('larger than any of Stripe is refused unread, and the largest is taken', async () => {
    const wrap = (size: number) => {
      const event = { ...eventOf(), note: '' };
      const rest = JSON.stringify(event).length;
      return JSON.stringify({ ...event, note: 'x'.repeat(size - rest) });
    };
    const [fits, tooLarge] = [wrap(1024 * 1024), wrap(1024 * 1024 + 1)];

    const refused = await post(tooLarge, sign(tooLarge));
    expect(refused).toMatchObject({ status: 413, body: { error: 'body_too_large' } });
    expect(await stored()).toEqual([]);
    expect(await post(fits, sign(fits))).toMatchObject({ status: 200, body: { isNew: true } });
  });
});

test('while the database is away Stripe is told to come again, and then it is stored', async () => {
  const url = new URL(app.environment['DATABASE_URL'] ?? '');
  const target = { host: url.hostname, port: Number(url.port) };
  const way = await listenTcp({
    ...{ host: '127.0.0.1', port: 0 },
    accept: async (socket, dial) => splice(socket, await dial(target)),
  });
  Object.assign(url, { hostname: '127.0.0.1', port: String(way.port) });
  await using node = await app.startNode({ DATABASE_URL: url.href, ROLE: 'api' });
  const body = JSON.stringify(eventOf());

  await way[Symbol.asyncDispose]();
  const away = await post(body, sign(body), node.url ?? '');
  const there = await post(body, sign(body));

  expect(away).toMatchObject({ status: 503, body: { error: 'unavailable' } });
  expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(there).toMatchObject({ status: 200, body: { isNew: true } });
});

function reversed(event: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(event).toReversed()));
}
