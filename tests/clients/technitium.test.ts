import { describe, expect, test } from 'vitest';

import { startTechnitium, type Technitium } from '../../lab/technitium/server.ts';
import { createTechnitiumClient } from '../../src/clients/technitium/client.ts';
import { answerFailure, transportFailure } from '../../src/clients/technitium/failure.ts';
import { describeDns } from './dns-contract.ts';
import { type DnsServer, setUpDns } from './dns-world.ts';

const to = (verb: string) => ({ method: 'POST', path: new RegExp(`/records/${verb}$`) }) as const;
const server: DnsServer<Technitium> = {
  zone: 'zpack.internal',
  start: (dataDir) => startTechnitium({ dataDir }),
  connect: ({ url, token, zone }, options = {}) =>
    createTechnitiumClient({ baseUrl: url, token, zone, timeoutMs: 5_000, ...options }),
  addByHand(standIn, { name, type, content }) {
    const rData = type === 'A' ? { ipAddress: content } : { cname: content };
    standIn.addByHand({ domain: name, type, ...rData });
  },
  count: (standIn, name) => standIn.records().filter((one) => one.name === name).length,
  requests: { read: to('get'), create: to('add'), remove: to('delete') },
};

describeDns(server);

describe('the whole zone', () => {
  const world = setUpDns(server);

  test('is one question, however many records it has', async () => {
    for (let i = 1; i <= 200; i += 1)
      world.standIn.addByHand({
        domain: `mc-${i}.zpack.internal`,
        type: 'A',
        ipAddress: '10.0.0.9',
      });

    const all = await world.client.listRecords();
    const addresses = await world.client.listRecords({ type: 'A' });

    expect([all.length, addresses.length]).toEqual([201, 200]);
    expect(all.find(({ type }) => type === 'NS')).toMatchObject({ name: 'zpack.internal' });
    expect(world.sent('read')).toBe(2);
  });

  test('a record of ours that was switched off is put back', async () => {
    const ours = { name: 'mc-1.zpack.internal', type: 'A', comment: 'zpack:5001/1' } as const;
    const wanted = { ...ours, content: '10.0.0.9', ttl: 60 };
    await world.client.ensureRecord(wanted);
    world.standIn.setDisabled(ours.name, true);

    expect(await world.client.ensureRecord(wanted)).toBe('replaced');
    expect(await world.client.listRecords({ name: ours.name })).toMatchObject([{ isPlain: true }]);
  });

  test('a zone that the server does not have is told apart', async () => {
    const { url, token } = world.standIn;
    const options = { baseUrl: url, token, zone: 'other.internal', timeoutMs: 5_000 };
    await using lost = createTechnitiumClient(options);

    expect(await lost.check()).toMatchObject({ ok: false, reason: 'zone_missing' });
  });
});

const error = (errorMessage: string) => ({ status: 'error', errorMessage });

/** HTTP status, body, our reason, may it succeed later. */
const ANSWERS: readonly (readonly [number, object | null, string, boolean])[] = [
  [200, { status: 'invalid-token', errorMessage: 'expired' }, 'unauthenticated', false],
  [200, error('Access was denied.'), 'forbidden', false],
  [200, error('No such zone was found: x'), 'zone_missing', false],
  [200, error('Cannot add record: record already exists.'), 'record_exists', true],
  [200, error('Cannot delete record: no such record exists.'), 'record_missing', false],
  [200, error('Cannot add record: a CNAME record already exists.'), 'record_foreign', false],
  [200, error("Parameter 'ipAddress' missing."), 'invalid_parameters', false],
  [200, error('An invalid IP address was specified.'), 'invalid_parameters', false],
  [200, error('There is not enough space on the disk.'), 'unexplained', true],
  [200, { status: 'ok', answer: 42 }, 'answer_unreadable', true],
  [200, null, 'answer_unreadable', true],
  [302, null, 'answer_unreadable', true],
  [401, null, 'unauthenticated', false],
  [403, null, 'forbidden', false],
  [429, null, 'rate_limited', true],
  [502, null, 'server_failed', true],
];

test.each(ANSWERS)('%i with %j is %s', (status, body, reason, retryable) => {
  const text = body ? JSON.stringify(body) : '<html>';

  const failure = answerFailure('/add', { status, text, header: () => undefined });

  expect(failure).toMatchObject({
    code: 'upstream_failed',
    reason,
    retryable,
    details: { status },
  });
  expect(failure.message).toBe(`technitium: /add: ${reason}`);
});

test('what we are told stays in the cause, in bounds', () => {
  const text = JSON.stringify(error(`disk ${'x'.repeat(9_000)}`));

  const { cause } = answerFailure('/add', { status: 200, text, header: () => undefined });

  expect(String(cause)).toMatch(/^Error: HTTP 200 disk x{400,500}$/);
});

test.each([
  ['ECONNREFUSED', 'not_connected'],
  ['ECONNRESET', 'no_answer'],
  ['CERT_HAS_EXPIRED', 'certificate_refused'],
])('a connection that ends with %s is %s', (code, reason) => {
  const broken = Object.assign(new Error('it broke'), { code });

  expect(transportFailure('/get', broken)).toMatchObject({ reason });
});
