import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import type { StandIn } from '../../lab/stand-in.ts';
import type { WantedRecord } from '../../src/clients/dns-records.ts';
import { until } from '../support/until.ts';
import { type DnsServer, type FaultKind, setUpDns } from './dns-world.ts';

/** What a DNS server is to us, whoever makes it. */
export function describeDns<S extends StandIn & { readonly token: string }>(
  server: DnsServer<S>,
): void {
  const world = setUpDns(server);
  const { plan, sent } = world;
  const name = `mc-1.${server.zone}`;
  const comment = 'zpack:5001/1';
  const host = { type: 'A', name, content: '203.0.113.7', ttl: 60, comment } as const;
  const place = {
    ...({ type: 'SRV', name: `_minecraft._tcp.${name}`, comment, ttl: 60 } as const),
    ...{ priority: 0, weight: 5, port: 25_601, target: name },
  };
  const count = (where = name) => server.count(world.standIn, where);

  describe('a record of ours', () => {
    test.each<[string, WantedRecord, string]>([
      ['an address', host, '203.0.113.7'],
      ['a service', place, `0 5 25601 mc-1.${server.zone}`],
    ])('%s appears and disappears; each twice is once', async (_, wanted, content) => {
      const appeared = await world.client.ensureRecord(wanted);
      const again = await world.client.ensureRecord(wanted);
      const found = await world.client.listRecords({ name: wanted.name });
      const removed = await world.client.removeRecords(wanted);
      const removedAgain = await world.client.removeRecords(wanted);

      expect([appeared, again]).toEqual(['created', 'unchanged']);
      const { name: itsName, type, ttl } = wanted;
      const same = { name: itsName, type, ttl, comment, content, isPlain: true };
      expect(found).toEqual([expect.objectContaining(same)]);
      expect([removed, removedAgain]).toEqual([1, 0]);
      expect([sent('create'), sent('remove')]).toEqual([1, 1]);
      expect(count(wanted.name)).toBe(0);
    });

    test.each([
      ['another address', { content: '203.0.113.8' }],
      ['another lifetime alone', { ttl: 120 }],
    ])('is replaced by one with %s', async (_, difference) => {
      await world.client.ensureRecord(host);

      const outcome = await world.client.ensureRecord({ ...host, ...difference });

      const { name: itsName, ...rest } = { ...host, ...difference };
      expect(outcome).toBe('replaced');
      expect(await world.client.listRecords({ name: itsName })).toMatchObject([rest]);
    });

    test('is the same in capitals and with the dot of the root', async () => {
      await world.client.ensureRecord(host);
      await world.client.ensureRecord(place);

      const spelled = { name: `${host.name.toUpperCase()}.` };

      expect(await world.client.ensureRecord({ ...host, ...spelled })).toBe('unchanged');
      expect(await world.client.ensureRecord({ ...place, target: `${name}.` })).toBe('unchanged');
      expect(await world.client.removeRecords({ ...host, ...spelled })).toBe(1);
    });

    test('of two that ensure it at once, both have it, and there is one', async () => {
      await using other = server.connect(world.standIn);
      const fault = plan('create', { kind: 'delay', ms: 100 });

      const slow = world.client.ensureRecord(host);
      await until(() => fault.fired === 1, { what: 'the slow creation' });
      const quick = await other.ensureRecord(host);

      expect([await slow, quick]).toEqual(['created', 'created']);
      expect([sent('create'), count()]).toEqual([2, 1]);
    });

    test('that a stranger was faster to claim is the stranger’s', async () => {
      const fault = plan('create', { kind: 'delay', ms: 100 });

      const slow = world.client.ensureRecord(host);
      slow.catch(() => undefined);
      await until(() => fault.fired === 1, { what: 'the slow creation' });
      server.addByHand(world.standIn, { name, type: 'A', content: host.content });

      await expect(slow).rejects.toMatchObject({ reason: 'record_foreign', retryable: false });
      expect(count()).toBe(1);
    });

    test('survives a restart of the server', async () => {
      await using stack = new AsyncDisposableStack();
      const dataDir = await mkdtemp(join(tmpdir(), 'zpack-dns-'));
      stack.defer(() => rm(dataDir, { recursive: true, force: true }));
      const before = await server.start(dataDir);
      await stack.use(server.connect(before)).ensureRecord(host);
      await before[Symbol.asyncDispose]();

      const after = stack.use(await server.start(dataDir));

      expect(await stack.use(server.connect(after)).ensureRecord(host)).toBe('unchanged');
    });
  });

  describe('a record of somebody else', () => {
    test.each([
      ['A', '198.51.100.1'],
      ['A', host.content],
      ['CNAME', 'elsewhere.example'],
    ] as const)('an %s to %s is never replaced nor removed', async (type, content) => {
      server.addByHand(world.standIn, { name, type, content });

      const refused = world.client.ensureRecord(host);

      await expect(refused).rejects.toMatchObject({ reason: 'record_foreign', retryable: false });
      expect(await world.client.removeRecords(host)).toBe(0);
      expect([sent('create'), sent('remove'), count()]).toEqual([0, 0, 1]);
    });

    test('that is another container of ours, or an earlier life of this one', async () => {
      const earlier = { ...host, comment: 'zpack:5001/0' };
      await world.client.ensureRecord(earlier);

      const refused = world.client.ensureRecord(host);

      await expect(refused).rejects.toMatchObject({ reason: 'record_foreign' });
      expect(await world.client.removeRecords(host)).toBe(0);
      expect(await world.client.removeRecords(earlier)).toBe(1);
    });

    test('beside ours stays when ours is removed', async () => {
      await world.client.ensureRecord(host);
      server.addByHand(world.standIn, { name, type: 'A', content: '198.51.100.1' });

      expect(await world.client.removeRecords(host)).toBe(1);
      expect(await world.client.listRecords({ name })).toMatchObject([{ comment: null }]);
    });
  });

  test.each([
    ['no comment', { comment: ' ' }],
    ['a name outside the zone', { name: 'mc-1.other.example' }],
    ['a name that only ends like the zone', { name: `evil${server.zone}` }],
  ])('%s is refused before anything is asked', async (_, wrong) => {
    await expect(world.client.ensureRecord({ ...host, ...wrong })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await expect(world.client.removeRecords({ ...host, ...wrong })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(world.standIn.requests()).toEqual([]);
  });

  describe('when an answer is lost', () => {
    test('after a creation, the next attempt finds it done', async () => {
      const fault = plan('create', { kind: 'drop_after' });

      const lost = world.client.ensureRecord(host);

      await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
      expect(await world.client.ensureRecord(host)).toBe('unchanged');
      expect([fault.fired, sent('create'), count()]).toEqual([1, 1, 1]);
    });

    test('after a removal, the next attempt finds it done', async () => {
      await world.client.ensureRecord(host);
      const fault = plan('remove', { kind: 'drop_after' });

      await expect(world.client.removeRecords(host)).rejects.toMatchObject({ retryable: true });

      expect(await world.client.removeRecords(host)).toBe(0);
      expect([fault.fired, sent('remove'), count()]).toEqual([1, 1, 0]);
    });

    test('to a question, it is asked once more, and only once', async () => {
      const once = plan('read', { kind: 'drop_before' });
      expect(await world.client.listRecords({ name })).toEqual([]);
      const twice = plan('read', { kind: 'drop_before', times: 2 });

      await expect(world.client.listRecords()).rejects.toMatchObject({ reason: 'no_answer' });

      expect([once.fired, twice.fired]).toEqual([1, 2]);
    });

    test('a write that never arrived is not sent again by itself', async () => {
      const fault = plan('create', { kind: 'drop_before' });

      await expect(world.client.ensureRecord(host)).rejects.toMatchObject({ reason: 'no_answer' });

      expect([fault.fired, sent('create'), count()]).toEqual([1, 1, 0]);
      expect(await world.client.ensureRecord(host)).toBe('created');
    });
  });

  test.each<[string, FaultKind, string, boolean]>([
    ['an error of its own', { kind: 'status', status: 500, text: 'oops' }, 'server_failed', true],
    ['something unreadable', { kind: 'garbage' }, 'answer_unreadable', true],
    ['more than we take', { kind: 'huge' }, 'answer_too_large', false],
    ['nothing', { kind: 'hang' }, 'timed_out', true],
  ])('an answer that is %s is a typed failure', async (_, kind, reason, retryable) => {
    await using hasty = server.connect(world.standIn, {
      timeoutMs: kind.kind === 'hang' ? 300 : 5000,
    });
    const onRead = plan('read', kind);
    await expect(hasty.ensureRecord(host)).rejects.toMatchObject({ reason, retryable });
    const onWrite = plan('create', kind);

    await expect(hasty.ensureRecord(host)).rejects.toMatchObject({ reason, retryable });

    expect([onRead.fired, onWrite.fired, count()]).toEqual([1, 1, 0]);
    expect(await world.client.ensureRecord(host)).toBe('created');
  });

  test('too many requests are a failure that says when to come back', async () => {
    world.standIn.limit({ requestsMax: 1, windowMs: 60_000 });
    await world.client.check();

    const refused = world.client.ensureRecord(host);

    await expect(refused).rejects.toMatchObject({
      ...{ reason: 'rate_limited', retryable: true },
      details: { retryAfterMs: expect.toSatisfy((ms: number) => ms > 50_000 && ms <= 60_000) },
    });
    world.standIn.limit(undefined);
    expect(await world.client.ensureRecord(host)).toBe('created');
  });

  test('a wrong token is refused, and is in no error and in no URL', async () => {
    const token = 'wr0ng-s3cret-token';
    await using stranger = server.connect(world.standIn, { token });

    const error = await stranger.ensureRecord(host).catch((refused: unknown) => refused);

    expect(error).toMatchObject({ reason: 'unauthenticated', retryable: false });
    expect(inspect(error, { depth: 9 })).not.toContain(token);
    await world.client.ensureRecord(host);
    const urls = world.standIn.requests().map(({ url }) => url);
    expect(urls.join()).not.toMatch(new RegExp(`${token}|${world.standIn.token}`));
  });

  test('the caller may give up, and its own reason is thrown', async () => {
    const fault = plan('read', { kind: 'hang' });
    const gone = new Error('the worker ends');
    const caller = new AbortController();

    const pending = world.client.ensureRecord(host, { signal: caller.signal });
    pending.catch(() => undefined);
    await until(() => fault.fired === 1, { what: 'the request' });
    caller.abort(gone);

    await expect(pending).rejects.toBe(gone);
  });

  test('a server that is not there has had no request, and the check says so', async () => {
    await world.standIn[Symbol.asyncDispose]();

    await expect(world.client.ensureRecord(host)).rejects.toMatchObject({
      ...{ reason: 'not_connected', retryable: true },
    });
    expect(await world.client.check()).toMatchObject({ ok: false, reason: 'not_connected' });
  });

  test('the check says how long an answer takes, and whether we are known', async () => {
    const fault = plan('read', { kind: 'delay', ms: 30 });
    await using stranger = server.connect(world.standIn, { token: 'wrong' });

    const { ok, latencyMs } = await world.client.check();

    expect(fault.fired).toBe(1);
    expect(ok).toBe(true);
    expect(latencyMs).toBeGreaterThan(25);
    expect(await stranger.check()).toMatchObject({ ok: false, reason: 'unauthenticated' });
  });
}
