import { describe, expect, test } from 'vitest';

import { power, published, removal, sighted } from '../support/instance-life.ts';

const report = (status: string, more: object = {}) => ({
  type: 'proxy.reported',
  status,
  serverName: 'mc-vanilla-5001',
  address: '10.0.0.5',
  port: 25_565,
  duplicate: false,
  latencyMs: null,
  detail: null,
  reportedAt: null,
  ...more,
});
const listed = (registration: string, more: object = {}) => ({
  type: 'proxy.observed',
  registration,
  address: '10.0.0.5',
  port: 25_565,
  ...more,
});
const proxyOf = (life: ReturnType<typeof published>) => life.state.context.payload.proxy;

describe('a registration', () => {
  test('leads to the address and the port of the container', () => {
    const life = published({ until: 'ready' });

    expect(proxyOf(life)?.registration).toEqual({ address: '10.0.0.5', port: 25_565, since: 7 });
    expect(life.state.value.proxy).toEqual({ registering: 'performing' });
  });

  test('that an older bridge only acknowledges is unverifiable, not failed', () => {
    const life = published({ until: 'ready' });
    life.end('proxy', 'proxy.registered', { isVerified: false });
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'target.published');

    expect(life.state.value).toMatchObject({ proxy: 'unverifiable', edge: 'published' });
    life.send(report('registered_with_proxy'));
    expect(life.state.value.proxy).toBe('registered');
  });

  test('that does not come about is asked for again, and says why', () => {
    const life = published({ until: 'ready' });
    life.end('public_dns', 'target.published');
    life.end('internal_dns', 'target.published');
    life.end('proxy', 'effect.failed', { code: 'not_connected', message: 'm', retryable: true });

    expect(life.state.value).toMatchObject({
      proxy: { registering: 'pausing' },
      edge: 'degraded',
    });
    expect(proxyOf(life)?.failure).toEqual({ code: 'not_connected', message: 'm' });
    life.pass('proxyPause');
    life.end('proxy', 'proxy.registered', { isVerified: true });
    expect(life.state.value).toMatchObject({ proxy: 'registered', edge: 'published' });
    expect(proxyOf(life)?.failure).toBeNull();
  });

  test('that the bridge has forgotten is made again, and counted', () => {
    const life = published();
    life.send(report('proxy_ping_ok'));
    life.send(listed('missing'));

    expect(life.effects).toEqual(['proxy.register']);
    expect(proxyOf(life)).toMatchObject({ forgotten: 1, report: null, pingedAt: null });
    life.end('proxy', 'proxy.registered', { isVerified: true });
    expect(life.state.value.proxy).toBe('registered');
  });

  test('is not doubted by what was seen of an earlier one', () => {
    const life = published();
    const before = life.state;
    life.send(listed('missing', { address: '10.0.0.4' }));
    life.send(listed('registered'));

    expect(life.state).toBe(before);
  });

  test('is taken back at a restart, since the address may be another one afterwards', () => {
    const life = published();
    life.send(power('restart'));
    expect(life.effects).toEqual(['container.restart', 'proxy.unregister']);
    life.end('proxy', 'proxy.unregistered');
    life.answer('container.restarted');
    expect(life.state.value).toMatchObject({ host: 'running', proxy: 'none', edge: 'published' });
    life.effects.length = 0;
    life.send({ type: 'address.found', opId: null, ip: '10.0.0.9' });

    expect(life.effects).toEqual(['proxy.register']);
    expect(proxyOf(life)?.registration).toMatchObject({ address: '10.0.0.9' });
  });

  test('of a container that somebody started by hand does not lead to its old address', () => {
    const life = published();
    life.send(sighted('stopped'));
    life.send(sighted('running'));

    expect(life.state.value.proxy).toEqual({ unregistering: 'performing' });
  });

  test('whose address changes while it is made is taken back when it is there', () => {
    const life = published({ until: 'ready' });
    life.send(power('restart'));
    life.effects.length = 0;
    life.end('proxy', 'proxy.registered', { isVerified: true });

    expect(life.effects).toEqual(['proxy.unregister']);
  });

  test('that cannot be taken back is owed by a deletion', () => {
    const life = published();
    life.send({ ...removal, force: true });
    const away = { code: 'not_connected', message: 'away', retryable: true };
    life.end('proxy', 'effect.failed', away);
    life.pass('proxyPause');
    life.end('proxy', 'effect.failed', away);

    expect(life.state.value.proxy).toBe('none');
    expect(life.state.context.debts).toMatchObject([
      { kind: 'proxy', code: 'not_connected', subject: { serverName: 'mc-vanilla-5001' } },
    ]);
  });
});

describe('a report', () => {
  test('of a ping says whether the backend answers', () => {
    const life = published();
    life.send(report('proxy_ping_ok', { latencyMs: 4, detail: 'up' }));
    expect(life.state.value.proxy).toBe('ping_ok');
    expect(proxyOf(life)).toMatchObject({
      report: { status: 'proxy_ping_ok', latencyMs: 4, detail: 'up', receivedAt: 7 },
      pingedAt: 7,
    });
    life.send(report('proxy_ping_failed'));
    expect(life.state.value.proxy).toBe('ping_failed');
  });

  test('that comes before the answer to our call is not lost', () => {
    const life = published({ until: 'ready' });
    life.send(report('registered_with_proxy'));
    life.send(report('proxy_ping_ok'));
    life.end('proxy', 'proxy.registered', { isVerified: true });

    expect(life.state.value.proxy).toBe('ping_ok');
  });

  test('about an earlier registration is journalled and not applied', () => {
    const life = published();
    life.send(report('proxy_ping_ok'));
    life.send(report('proxy_ping_failed', { address: '10.0.0.4' }));

    expect(life.state.value.proxy).toBe('ping_ok');
    expect(proxyOf(life)).toMatchObject({
      report: { status: 'proxy_ping_ok' },
      late: { status: 'proxy_ping_failed', address: '10.0.0.4' },
      counts: { reports: 2, late: 1 },
    });
  });

  test('that was overtaken by a later one is late', () => {
    const life = published();
    life.send(report('proxy_ping_failed', { reportedAt: 2_000 }));
    life.send(report('proxy_ping_ok', { reportedAt: 1_000 }));

    expect(life.state.value.proxy).toBe('ping_failed');
    expect(proxyOf(life)?.counts).toEqual({ reports: 2, duplicates: 0, late: 1 });
  });

  test('is believed again when the clock of the bridge was set back', () => {
    const life = published();
    life.send(report('proxy_ping_failed', { reportedAt: 9_000_000 }));
    life.send(report('proxy_ping_ok', { reportedAt: 1_000 }));
    life.send(report('proxy_ping_failed', { reportedAt: 2_000 }));

    expect(proxyOf(life)?.counts.late).toBe(0);
    expect(life.state.value.proxy).toBe('ping_failed');
  });

  test('that comes twice is recorded as a duplicate', () => {
    const life = published();
    life.send(report('proxy_ping_ok', { reportedAt: 1_000 }));
    life.send(report('proxy_ping_ok', { reportedAt: 1_000 }));
    life.send(report('registered_with_proxy', { duplicate: true, reportedAt: 1_500 }));

    expect(life.state.value.proxy).toBe('ping_ok');
    expect(proxyOf(life)).toMatchObject({
      counts: { reports: 3, duplicates: 2, late: 0 },
      report: { status: 'registered_with_proxy', duplicate: true },
    });
  });

  test('leaves what is published alone, as publishing leaves reports alone', () => {
    const life = published();
    life.send(report('proxy_ping_ok'));
    const { edge } = life.state.context.payload;
    life.send(report('proxy_ping_failed'));
    expect(life.state.context.payload.edge).toEqual(edge);
    const proxy = proxyOf(life);
    life.send({ type: 'target.lost', kind: 'public_dns', message: 'm' });
    expect(proxyOf(life)).toEqual(proxy);
  });
});
