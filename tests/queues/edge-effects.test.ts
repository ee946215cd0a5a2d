import { describe, expect, test } from 'vitest';

import type { HttpFault } from '../../lab/stand-in.ts';
import { until } from '../support/until.ts';
import {
  createEdgeNode,
  type DnsKind,
  type EdgeEffectKind,
  forwardSpec,
  nameSpec,
  routerSpec,
  setUpParties,
  ZONES,
} from './edge-parties.ts';
import { TWICE } from './effects-world.ts';

const KINDS: readonly DnsKind[] = ['internal_dns', 'public_dns'];
const BACKEND = { serverName: 'mc-5001', address: '10.0.0.5', port: 25_565 };
const PUBLISHED = { type: 'target.published', opId: '7' };
const REMOVED = { type: 'target.removed', opId: '7' };
const REGISTERED = { type: 'proxy.registered', opId: '7', isVerified: true };
const UNREGISTERED = { type: 'proxy.unregistered', opId: '7' };
const twoOf = <T>(one: T) => [one, one];

async function setUp(options: Parameters<typeof setUpParties>[0] = {}) {
  const parties = await setUpParties(options);
  const nodes = [createEdgeNode(parties.connect()), createEdgeNode(parties.connect())] as const;
  return { ...parties, nodes, node: nodes[0] };
}

describe.each(TWICE)('performed twice, %s, happens once:', (_, twice) => {
  test.each(KINDS)('a name in %s has one address and one service, then none', async (kind) => {
    await using t = await setUp();
    t.addByHand(kind, `theirs.${ZONES[kind]}`);
    const target = nameSpec(kind);

    const published = await twice(t.nodes, (node) => node.perform(`${kind}.publish`, { target }));
    const between = t.inZone(kind);
    const removed = await twice(t.nodes, (node) => node.perform(`${kind}.remove`, { target }));

    expect(published).toEqual(twoOf(PUBLISHED));
    expect(between).toEqual([
      `A mc-5001.${ZONES[kind]}`,
      `A theirs.${ZONES[kind]}`,
      `SRV _minecraft._tcp.mc-5001.${ZONES[kind]}`,
    ]);
    expect(removed).toEqual(twoOf(REMOVED));
    expect(t.inZone(kind)).toEqual([`A theirs.${ZONES[kind]}`]);
  });

  test('a port is forwarded by one rule, then by none', async () => {
    await using t = await setUp();
    const target = forwardSpec();

    const published = await twice(t.nodes, (node) => node.perform('forward.publish', { target }));
    const between = t.opnsense.active();
    const removed = await twice(t.nodes, (node) => node.perform('forward.remove', { target }));

    expect(published).toEqual(twoOf(PUBLISHED));
    expect(between).toMatchObject([{ descr: 'zpack:5001-aaaa0001', target: '10.0.3.7' }]);
    expect(removed).toEqual(twoOf(REMOVED));
    expect([t.opnsense.active(), t.opnsense.records()]).toEqual([[], []]);
  });

  test('a name at Velocity leads to one place, then nowhere', async () => {
    await using t = await setUp();

    const registered = await twice(t.nodes, (node) => node.perform('proxy.register', BACKEND));
    const between = t.velocity.servers();
    const gone = await twice(t.nodes, (node) => node.perform('proxy.unregister', BACKEND));

    expect(registered).toEqual(twoOf(REGISTERED));
    expect(between).toEqual([{ name: 'mc-5001', address: '10.0.0.5', port: 25_565 }]);
    expect(gone).toEqual(twoOf(UNREGISTERED));
    expect(t.velocity.servers()).toEqual([]);
  });
});

test('a name that leads elsewhere is led here, also if two see to it at the same time', async () => {
  await using t = await setUp();
  await t.node.perform('proxy.register', { ...BACKEND, serverName: 'MC-5001', port: 1_234 });

  const outcomes = await Promise.allSettled(
    t.nodes.map((node) => node.perform('proxy.register', BACKEND)),
  );

  // One may have taken back what the other had registered; whoever says that it is there is right.
  expect(outcomes).toContainEqual({ status: 'fulfilled', value: REGISTERED });
  expect(t.velocity.servers()).toEqual([{ name: 'mc-5001', address: '10.0.0.5', port: 25_565 }]);
});

describe('a lost answer: performed again, it is found done', () => {
  const POST = 'POST' as const;
  const technitium = (verb: string) => ({ method: POST, path: new RegExp(`/records/${verb}$`) });
  const cloudflare = (method: 'POST' | 'DELETE') => ({ method, path: /dns_records/ });
  const opnsense = (verb: string) => ({ method: POST, path: new RegExp(`/${verb}`) });

  test.each<[EdgeEffectKind, object, Pick<HttpFault, 'method' | 'path'>, number]>([
    ['internal_dns.publish', { target: nameSpec('internal_dns') }, technitium('add'), 2],
    ['internal_dns.remove', { target: nameSpec('internal_dns') }, technitium('delete'), 0],
    ['public_dns.publish', { target: nameSpec('public_dns') }, cloudflare('POST'), 2],
    ['public_dns.remove', { target: nameSpec('public_dns') }, cloudflare('DELETE'), 0],
    ['forward.publish', { target: forwardSpec() }, opnsense('setRule'), 1],
    ['forward.publish', { target: forwardSpec() }, opnsense('apply'), 1],
    ['forward.remove', { target: forwardSpec() }, opnsense('delRule'), 0],
    ['forward.remove', { target: forwardSpec() }, opnsense('apply'), 0],
  ])('%s %j %o', async (kind, fields, which, left) => {
    await using t = await setUp();
    const [party] = kind.split('.') as ['internal_dns' | 'public_dns' | 'forward'];
    const standIn = { ...t.dns, forward: t.opnsense }[party];
    if (left === 0) await t.node.perform(`${party}.publish`, fields);
    const fault = standIn.faults.plan({ ...which, kind: 'drop_after' });

    const lost = t.node.perform(kind, fields);
    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    const outcome = await t.nodes[1].perform(kind, fields);

    expect(fault.fired).toBe(1);
    expect(outcome).toEqual(left === 0 ? REMOVED : PUBLISHED);
    const all = party === 'forward' ? t.opnsense.active() : t.inZone(party);
    expect(all).toHaveLength(left);
  });

  test.each(['register', 'unregister'] as const)('proxy.%s asks the list itself', async (verb) => {
    await using t = await setUp();
    if (verb === 'unregister') await t.node.perform('proxy.register', BACKEND);
    const path = new RegExp(`/zpack/${verb}$`);
    const fault = t.velocity.faults.plan({ method: 'POST', path, kind: 'drop_after' });

    const outcome = await t.node.perform(`proxy.${verb}`, BACKEND);

    expect(fault.fired).toBe(1);
    expect(outcome).toEqual(verb === 'register' ? REGISTERED : UNREGISTERED);
    expect(t.velocity.servers()).toHaveLength(verb === 'register' ? 1 : 0);
    expect(t.velocity.requests().filter((one) => path.test(one.path))).toHaveLength(1);
  });
});

describe('what is somebody else’s', () => {
  test.each(KINDS)('in %s is neither replaced nor removed', async (kind) => {
    await using t = await setUp();
    const target = nameSpec(kind);
    t.addByHand(kind, target.name, { comment: 'zpack:5001-bbbb0002' });
    const before = structuredClone(t.dns[kind].records());

    const publish = t.node.perform(`${kind}.publish`, { target });
    await expect(publish).rejects.toMatchObject({ reason: 'record_foreign', retryable: false });
    const removed = await t.node.perform(`${kind}.remove`, { target });

    expect(removed).toEqual(REMOVED);
    expect(t.dns[kind].records()).toEqual(before);
  });

  test('at OPNsense is neither replaced nor removed', async () => {
    await using t = await setUp();
    t.opnsense.addByHand({
      ...{ interface: 'wan', protocol: 'udp', descr: 'the NAS', target: '10.0.0.2' },
      ...{ destination: { network: 'wanip', port: '28015' }, 'local-port': '5000' },
    });
    const before = structuredClone(t.opnsense.records());
    const fields = { target: forwardSpec() };

    const publish = t.node.perform('forward.publish', fields);
    await expect(publish).rejects.toMatchObject({ reason: 'forward_foreign', retryable: false });
    const removed = await t.node.perform('forward.remove', fields);

    expect(removed).toEqual(REMOVED);
    expect(t.opnsense.records()).toEqual(before);
  });
});

describe('what is not configured', () => {
  const target: Readonly<Record<string, object>> = {
    internal_dns: nameSpec('internal_dns'),
    public_dns: nameSpec('public_dns'),
    forward: forwardSpec(),
    router: routerSpec(),
  };
  const all = Object.keys(createEdgeNode({}).performers) as EdgeEffectKind[];

  test.each(all)('%s says so, and that repeating it will not help', async (kind) => {
    const node = createEdgeNode({});

    const call = node.perform(kind, { ...BACKEND, target: target[kind.split('.')[0] ?? ''] });

    await expect(call).rejects.toMatchObject({ reason: 'not_configured', retryable: false });
  });

  test.each(KINDS)('is also a name of another zone in %s', async (kind) => {
    await using t = await setUp();
    const moved = { ...nameSpec(kind), name: 'mc-5001.of-last-year.example' };

    for (const verb of ['publish', 'remove'] as const) {
      const call = t.node.perform(`${kind}.${verb}`, { target: moved });
      await expect(call).rejects.toMatchObject({ reason: 'not_configured', retryable: false });
    }
    expect(t.dns[kind].requests()).toEqual([]);
  });
});

describe('Velocity', () => {
  test('with an older bridge acknowledges what nobody can verify', async () => {
    await using t = await setUp({ isOlder: true });

    const registered = await t.node.perform('proxy.register', BACKEND);
    const moved = await t.node.perform('proxy.register', { ...BACKEND, address: '10.0.0.6' });

    const acknowledged = { ...REGISTERED, isVerified: false };
    expect([registered, moved]).toEqual([acknowledged, acknowledged]);
    expect(t.velocity.servers()).toMatchObject([{ address: '10.0.0.6' }]);
  });

  test('knows nothing of a name: then it is unregistered', async () => {
    await using t = await setUp();

    expect(await t.node.perform('proxy.unregister', BACKEND)).toEqual(UNREGISTERED);
  });

  test('that has lost what it took before it was asked is to be told again', async () => {
    await using t = await setUp();
    const slow = { method: 'GET', path: /status$/, kind: 'delay', ms: 150, times: 2 } as const;
    t.velocity.faults.plan(slow);

    const call = t.node.perform('proxy.register', BACKEND);
    call.catch(() => undefined);
    // The second question comes after the registration; it is answered with what is left by then.
    await until(() => t.velocity.servers().length === 1, { what: 'the registration' });
    t.velocity.restart();

    await expect(call).rejects.toMatchObject({ reason: 'registration_missing', retryable: true });
    expect(await t.node.perform('proxy.register', BACKEND)).toEqual(REGISTERED);
  });
});
