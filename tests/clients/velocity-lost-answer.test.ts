import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { ELSEWHERE, HUB, REGISTER, setUp, setUpReplier, UNREGISTER } from './velocity-world.ts';

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
