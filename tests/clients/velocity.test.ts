import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import { createSecretCheck, hashSecret } from '../../src/clients/velocity/secret.ts';
import { until } from '../support/until.ts';
import {
  ELSEWHERE,
  HUB,
  REGISTER,
  SECRET,
  setUp,
  setUpReplier,
  UNREGISTER,
} from './velocity-world.ts';

describe('a server', () => {
  test('is registered, found whatever the case of its name, and unregistered', async () => {
    await using t = await setUp();

    const before = await t.client.verify(HUB);
    const registered = await t.client.register(HUB);
    const { servers } = await t.client.status();
    const loud = await t.client.verify({ ...HUB, serverName: 'MC-PAPER-5001' });
    const gone = await t.client.unregister(HUB.serverName);

    expect([before, registered, loud, gone]).toEqual([
      'missing',
      'registered',
      'registered',
      'unregistered',
    ]);
    expect(servers).toEqual([{ name: 'mc-paper-5001', address: '127.0.0.1', port: 25_565 }]);
    expect(t.velocity.servers()).toEqual([]);
  });

  test('that is registered twice is there once; unregistered twice, it is gone', async () => {
    await using t = await setUp();

    await Promise.all([t.client.register(HUB), t.client.register(HUB)]);
    await t.client.register(HUB);
    const twice = t.velocity.servers();
    await t.client.unregister(HUB.serverName);

    expect(twice).toHaveLength(1);
    expect(await t.client.unregister(HUB.serverName)).toBe('already_gone');
    expect(t.sent(UNREGISTER)).toBe(2);
  });

  test('that has moved replaces what was registered by its name, in any case', async () => {
    await using t = await setUp();
    await t.client.register(HUB);
    const moved = { ...ELSEWHERE, serverName: 'MC-paper-5001' };

    const before = await t.client.verify(moved);
    await t.client.register(moved);

    expect(before).toBe('elsewhere');
    expect(t.velocity.servers()).toEqual([
      { name: 'MC-paper-5001', address: '127.0.0.1', port: 25_566 },
    ]);
    expect(t.sent(UNREGISTER)).toBe(1);
  });

  test('that the restarted proxy has forgotten is missing', async () => {
    await using t = await setUp();
    await t.client.register(HUB);

    t.velocity.restart();

    expect(await t.client.verify(HUB)).toBe('missing');
  });

  test('that the bridge refuses is not tried again', async () => {
    await using t = await setUp();

    const refused = t.client.register({ ...HUB, port: 70_000 });

    await expect(refused).rejects.toMatchObject({
      reason: 'bridge_refused',
      retryable: false,
      details: { status: 400, bridgeError: 'a name, an address and a port are needed' },
    });
    expect(t.sent(REGISTER)).toBe(1);
  });
});

describe('the bridge', () => {
  test('is asked once more when a question is lost, and only once', async () => {
    await using t = await setUp();
    const once = t.fault('drop_before', /\/status$/, 'GET');
    expect(await t.client.status()).toEqual({ servers: [] });
    const twice = t.fault('drop_before', /\/status$/, 'GET', 2);

    await expect(t.client.status()).rejects.toMatchObject({ reason: 'no_answer' });

    expect([once.fired, twice.fired]).toEqual([1, 2]);
  });

  test('is reachable, or says why not', async () => {
    await using t = await setUp({}, 150);
    await using stranger = t.connect({ secret: 'another' });
    const well = await t.client.check();
    const fault = t.fault('hang', /\/status$/, 'GET');
    const silent = await t.client.check();
    const unknown = await stranger.check();
    await t.velocity[Symbol.asyncDispose]();
    const gone = await t.client.check();

    expect(well).toEqual({ ok: true, latencyMs: expect.any(Number) });
    expect(silent).toMatchObject({ ok: false, reason: 'timed_out' });
    expect(unknown).toMatchObject({ ok: false, reason: 'unauthenticated' });
    expect(gone).toMatchObject({ ok: false, reason: 'not_connected' });
    expect(fault.fired).toBe(1);
    expect(silent.latencyMs).toBeGreaterThanOrEqual(140);
  });

  test.each([
    ['no JSON', '<html>', 'answer_unreadable'],
    ['no object', '"ok"', 'answer_unreadable'],
    ['a list of something else', '{"servers":["hub"]}', 'answer_unreadable'],
    ['a list without end', '', 'answer_too_large'],
  ])('that answers with %s is not understood', async (_, text, reason) => {
    await using t = await setUpReplier((__, response) => {
      response.writeHead(200).end(text || ' '.repeat(5_000_000));
    });

    await expect(t.client.status()).rejects.toMatchObject({ reason, retryable: false });
  });

  test('that repeats our header to us brings no secret into an error', async () => {
    await using t = await setUpReplier((request, response) => {
      response.writeHead(500).end(JSON.stringify({ error: request.headers['x-zpack-secret'] }));
    });

    const error = await t.client.register(HUB).catch((reason: unknown) => reason);

    const shown = inspect(error, { depth: 10, showHidden: true });
    expect(shown).toContain('[secret]');
    expect(shown).not.toContain(hashSecret(SECRET));
    expect(shown).not.toContain(SECRET);
  });

  test('that gives no answer to a caller who gives up is the caller’s own business', async () => {
    await using t = await setUp();
    const fault = t.fault('hang', REGISTER);
    const giveUp = new AbortController();
    const stopping = new Error('the worker stops');

    const pending = t.client.register(HUB, { signal: giveUp.signal });
    await until(() => fault.fired === 1, { what: 'the request' });
    giveUp.abort(stopping);

    await expect(pending).rejects.toBe(stopping);
    await expect(t.client.status({ signal: giveUp.signal })).rejects.toBe(stopping);
  });
});

test('the secret is sent as its hash, and checked without a hint', () => {
  const isRight = createSecretCheck('abc');
  const hash = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';

  expect(hashSecret('abc')).toBe(hash);
  expect(isRight(hash)).toBe(true);
  const wrong = [undefined, '', 'abc', hash.toUpperCase(), `${hash} `, [hash], `${hash}, ${hash}`];
  expect(wrong.filter(isRight)).toEqual([]);
  expect(() => createSecretCheck('')).toThrow('is empty');
});
