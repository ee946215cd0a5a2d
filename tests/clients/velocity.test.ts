import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import { startVelocity, type VelocityOptions } from '../../lab/velocity/velocity.ts';
import { type Backend, createVelocityClient } from '../../src/clients/velocity/client.ts';
import { createSecretCheck, hashSecret } from '../../src/clients/velocity/secret.ts';
import { until } from '../support/until.ts';

const SECRET = 'shared-with-the-bridge';
const HUB: Backend = { serverName: 'mc-paper-5001', address: '127.0.0.1', port: 25_565 };
const ELSEWHERE: Backend = { ...HUB, port: 25_566 };
const REGISTER = /\/register$/;
const UNREGISTER = /\/unregister$/;

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

describe('a lost answer', () => {
  test('to a registration: the list shows it, and nothing is sent again', async () => {
    await using t = await setUp();
    const fault = t.fault('drop_after', REGISTER);

    const outcome = await t.client.register(HUB);

    expect(fault.fired).toBe(1);
    expect(outcome).toBe('registered');
    expect(t.sent(REGISTER)).toBe(1);
  });

  test('to one that never arrived: may be tried again, by whoever decides that', async () => {
    await using t = await setUp();
    const fault = t.fault('drop_before', REGISTER);

    const lost = t.client.register(HUB);
    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });

    expect(fault.fired).toBe(1);
    expect(t.sent(REGISTER)).toBe(1);
    expect(await t.client.register(HUB)).toBe('registered');
  });

  test('to an unregistration: the list shows that it is gone', async () => {
    await using t = await setUp();
    await t.client.register(HUB);
    const after = t.fault('drop_after', UNREGISTER);

    const outcome = await t.client.unregister(HUB.serverName);
    await t.client.register(HUB);
    const before = t.fault('drop_before', UNREGISTER);
    const lost = t.client.unregister(HUB.serverName);
    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });

    expect([after.fired, before.fired]).toEqual([1, 1]);
    expect(outcome).toBe('unregistered');
    expect(t.sent(UNREGISTER)).toBe(2);
    expect(t.velocity.servers()).toHaveLength(1);
  });

  test('in the middle of a move: the second half is done all the same', async () => {
    await using t = await setUp();
    await t.client.register(HUB);
    const faults = [t.fault('drop_after', UNREGISTER), t.fault('drop_after', REGISTER)];

    await t.client.register(ELSEWHERE);

    expect(faults.map(({ fired }) => fired)).toEqual([1, 1]);
    expect(await t.client.verify(ELSEWHERE)).toBe('registered');
  });

  test('that does not come in time is looked for as well', async () => {
    await using t = await setUp({}, 150);
    const fault = t.fault('hang', REGISTER);

    const pending = t.client.register(HUB);
    await until(() => fault.fired === 1, { what: 'the request' });
    // Stands for the bridge, which gets round to it after we have stopped to listen.
    await t.client.register(HUB);

    expect(await pending).toBe('registered');
    const late = t.fault('hang', UNREGISTER);
    const lost = t.client.unregister(HUB.serverName);
    await expect(lost).rejects.toMatchObject({ reason: 'timed_out', retryable: true });
    expect(late.fired).toBe(1);
  });

  test('is not made up for by a look that fails as well', async () => {
    const calls: string[] = [];
    await using t = await setUpReplier((request, response) => {
      calls.push(`${request.method} ${request.url}`);
      if (calls.length === 1) response.end('{"servers":[]}');
      else request.socket.destroy();
    });

    const lost = t.client.register(HUB);

    await expect(lost).rejects.toMatchObject({ message: expect.stringContaining('/register') });
    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    expect(calls.slice(0, 2)).toEqual(['GET /zpack/status', 'POST /zpack/register']);
    expect(calls.filter((call) => call.startsWith('POST'))).toHaveLength(1);
  });

  test('is also one that says that the bridge is in trouble', async () => {
    await using t = await setUp();
    const fault = t.fault('status', REGISTER);

    const failed = t.client.register(HUB);

    await expect(failed).rejects.toMatchObject({ reason: 'bridge_failed', retryable: true });
    expect(fault.fired).toBe(1);
    expect(t.velocity.requests().map(({ path }) => path)).toEqual([
      '/zpack/status',
      '/zpack/register',
      '/zpack/status',
    ]);
  });
});

describe('an older bridge', () => {
  test('is believed, since it cannot be verified', async () => {
    await using t = await setUp({ isOlder: true });

    const outcome = await t.client.register(HUB);

    expect(outcome).toBe('registered');
    expect(await t.client.status()).toEqual({ servers: null });
    expect(await t.client.verify(HUB)).toBe('unverifiable');
    expect(await t.client.unregister(HUB.serverName)).toBe('unregistered');
    expect(await t.client.unregister(HUB.serverName)).toBe('already_gone');
  });

  test('says by its refusal that a name is taken, and the server is moved', async () => {
    await using t = await setUp({ isOlder: true });
    await t.client.register(HUB);

    await t.client.register(ELSEWHERE);

    expect(t.velocity.servers()).toMatchObject([{ port: 25_566 }]);
    expect([t.sent(REGISTER), t.sent(UNREGISTER)]).toEqual([3, 1]);
  });

  test('whose answer is lost is not believed to have done it', async () => {
    await using t = await setUp({ isOlder: true });
    const fault = t.fault('drop_after', REGISTER);

    const lost = t.client.register(HUB);

    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    expect(fault.fired).toBe(1);
    expect(await t.client.register(HUB)).toBe('registered');
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

async function setUp(options: Partial<VelocityOptions> = {}, timeoutMs = 5_000) {
  const stack = new AsyncDisposableStack();
  const velocity = stack.use(await startVelocity({ secret: SECRET, ...options }));
  const connect = ({ secret = SECRET } = {}) =>
    createVelocityClient({ baseUrl: velocity.url, secret, timeoutMs });
  const client = stack.use(connect());
  return {
    velocity,
    client,
    connect,
    fault(
      kind: 'drop_before' | 'drop_after' | 'hang' | 'status',
      path: RegExp,
      method: 'GET' | 'POST' = 'POST',
      times = 1,
    ) {
      const rest = kind === 'status' ? { kind, status: 500, text: 'out of order' } : { kind };
      return velocity.faults.plan({ ...rest, path, method, times });
    },
    sent: (path: RegExp) => velocity.requests().filter((one) => path.test(one.path)).length,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A bridge that does what the test says, and a client of it. */
async function setUpReplier(respond: RequestListener) {
  const server = createServer(respond).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const baseUrl = new URL(`http://127.0.0.1:${port}/`);
  const client = createVelocityClient({ baseUrl, secret: SECRET, timeoutMs: 5_000 });
  return {
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}
