import { describe, expect, test } from 'vitest';

import { type Cloudflare, startCloudflare } from '../../lab/cloudflare/server.ts';
import { createCloudflareClient } from '../../src/clients/cloudflare/client.ts';
import { answerFailure, transportFailure } from '../../src/clients/cloudflare/failure.ts';
import { describeDns } from './dns-contract.ts';
import { type DnsServer, setUpDns } from './dns-world.ts';

const path = /dns_records/;
const server: DnsServer<Cloudflare> = {
  zone: 'zpack.example',
  start: (dataDir) => startCloudflare({ dataDir }),
  connect: ({ url, token, zoneId, zone }, options = {}) =>
    createCloudflareClient({ baseUrl: url, token, zoneId, zone, timeoutMs: 5_000, ...options }),
  addByHand: (standIn, record) => standIn.addByHand(record),
  count: (standIn, name) => standIn.records().filter((one) => one.name === name).length,
  requests: {
    read: { method: 'GET', path },
    create: { method: 'POST', path },
    remove: { method: 'DELETE', path },
  },
};

describeDns(server);

describe('pages', () => {
  const world = setUpDns(server);
  const connect = (pageSize: number) => {
    const { url, token, zoneId, zone } = world.standIn;
    return createCloudflareClient({
      baseUrl: url,
      token,
      zoneId,
      zone,
      timeoutMs: 5_000,
      pageSize,
    });
  };
  const fill = (count: number) => {
    for (let i = 1; i <= count; i += 1)
      world.standIn.addByHand({ name: `mc-${i}`, type: 'A', content: `203.0.113.${i}` });
  };

  test.each([
    [0, 1],
    [5, 1],
    [6, 2],
    [17, 4],
  ])('%i records, five to a page, are %i questions', async (records, questions) => {
    fill(records);
    await using client = connect(5);

    const found = await client.listRecords();

    expect(new Set(found.map(({ id }) => id)).size).toBe(records);
    expect(world.sent('read')).toBe(questions);
  });

  test('one beyond the end is empty', async () => {
    fill(6);
    const { url, token, zoneId } = world.standIn;

    const answer = await fetch(`${url}/zones/${zoneId}/dns_records?page=3&per_page=5`, {
      headers: { authorization: `Bearer ${token}` },
    });

    expect(await answer.json()).toMatchObject({ result: [], result_info: { total_count: 6 } });
  });

  test('a record on the last one is found, and removed', async () => {
    fill(12);
    await using client = connect(5);
    const ours = { name: 'mc-99.zpack.example', type: 'A', comment: 'zpack:5099/1' } as const;
    await client.ensureRecord({ ...ours, content: '203.0.113.99', ttl: 60 });

    const found = (await client.listRecords({ type: 'A' })).filter(({ comment }) => comment);

    expect(found).toMatchObject([ours]);
    expect(await client.removeRecords(ours)).toBe(1);
  });

  test('a server that answers another page than asked does not lead us in circles', async () => {
    const result_info = { page: 1, total_pages: 9 };
    const text = JSON.stringify({
      success: true,
      result: [],
      result_info: { ...result_info, page: 2 },
    });
    const fault = world.plan('read', { kind: 'status', status: 200, text });

    await expect(world.client.listRecords()).rejects.toMatchObject({
      reason: 'answer_unreadable',
    });

    expect(fault.fired).toBe(1);
  });
});

describe('what Cloudflare knows better than our list', () => {
  const world = setUpDns(server);

  test('a proxied record of ours lets no game through, so it is replaced', async () => {
    const ours = { name: 'mc-1.zpack.example', type: 'A', comment: 'zpack:5001/1' } as const;
    world.standIn.addByHand({ ...ours, content: '203.0.113.7', proxied: true });

    const outcome = await world.client.ensureRecord({ ...ours, content: '203.0.113.7', ttl: 60 });

    expect(outcome).toBe('replaced');
    expect(world.standIn.records()).toMatchObject([{ proxied: false, ttl: 60 }]);
  });

  test('a removal that finds it gone is done', async () => {
    const ours = { name: 'mc-1.zpack.example', type: 'A', comment: 'zpack:5001/1' } as const;
    world.standIn.addByHand({ ...ours, content: '203.0.113.7' });
    const text = JSON.stringify({ success: false, errors: [{ code: 81044, message: '' }] });
    const fault = world.plan('remove', { kind: 'status', status: 404, text });

    expect(await world.client.removeRecords(ours)).toBe(1);
    expect(fault.fired).toBe(1);
  });

  test('a record that exists but is not listed yet is worth another look', async () => {
    const ours = { name: 'mc-1.zpack.example', type: 'A', comment: 'zpack:5001/1' } as const;
    const wanted = { ...ours, content: '203.0.113.7', ttl: 60 };
    const text = JSON.stringify({ success: false, errors: [{ code: 81058, message: '' }] });
    const fault = world.plan('create', { kind: 'status', status: 400, text });

    const refused = world.client.ensureRecord(wanted);

    await expect(refused).rejects.toMatchObject({ reason: 'record_exists', retryable: true });
    expect(fault.fired).toBe(1);
    expect(await world.client.ensureRecord(wanted)).toBe('created');
  });
});

/** Status, number of the error, our reason, may it succeed later. */
const ANSWERS: readonly (readonly [number, number | null, string, boolean])[] = [
  [400, 6003, 'unauthenticated', false],
  [403, 9109, 'unauthenticated', false],
  [403, 10_000, 'unauthenticated', false],
  [403, 12_345, 'forbidden', false],
  [401, null, 'unauthenticated', false],
  [403, null, 'forbidden', false],
  [404, 7003, 'zone_missing', false],
  [404, 81_044, 'record_missing', false],
  [404, 12_345, 'record_missing', false],
  [404, null, 'answer_unreadable', true],
  [400, 81_053, 'record_foreign', false],
  [400, 81_054, 'record_foreign', false],
  [400, 81_057, 'record_exists', true],
  [400, 81_058, 'record_exists', true],
  [400, 81_045, 'quota_exceeded', false],
  [400, 9005, 'invalid_parameters', false],
  [400, 12_345, 'invalid_parameters', false],
  [200, 12_345, 'refused', false],
  [200, null, 'answer_unreadable', true],
  [429, 10_100, 'rate_limited', true],
  [429, null, 'rate_limited', true],
  [500, null, 'server_failed', true],
  [503, 81_058, 'server_failed', true],
];

test.each(ANSWERS)('%i with error %j is %s', (status, code, reason, retryable) => {
  const errors = [{ code, message: 'in its words' }];
  const text = code === null ? '<html>' : JSON.stringify({ success: false, errors, result: null });

  const error = answerFailure('POST /x', { status, text, header: () => undefined });

  expect(error).toMatchObject({ code: 'upstream_failed', reason, retryable, details: { status } });
  expect(error.message).toBe(`cloudflare: POST /x: ${reason}`);
  if (code !== null) expect(String(error.cause)).toContain(`${code} in its words`);
});

test.each([
  [{ 'retry-after': '7' }, 7_000],
  [
    { 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT', date: 'Thu, 01 Jan 2026 00:00:10 GMT' },
    20_000,
  ],
  [{ 'retry-after': 'soon' }, undefined],
  [{}, undefined],
])('with %j we come back after %s ms', (headers: Record<string, string>, retryAfterMs) => {
  const answer = { status: 429, text: '', header: (name: string) => headers[name] };

  expect(answerFailure('GET /x', answer).details['retryAfterMs']).toBe(retryAfterMs);
});

test.each([
  ['ECONNREFUSED', 'not_connected', true],
  ['ENOTFOUND', 'not_connected', true],
  ['ECONNRESET', 'no_answer', true],
  ['UND_ERR_SOCKET', 'no_answer', true],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'certificate_refused', false],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificate_refused', false],
])('a connection that ends with %s is %s', (code, reason, retryable) => {
  const error = Object.assign(new Error('it broke'), { code });

  expect(transportFailure('GET /x', error)).toMatchObject({ reason, retryable });
});
