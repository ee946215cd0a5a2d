import { describe, expect, test } from 'vitest';

import type { VelocityClient } from '../../src/clients/velocity/client.ts';
import { createBridgeSweep } from '../../src/queues/polls/sweep-bridge.ts';
import { createTell, isUnchanged } from '../../src/queues/polls/tell.ts';
import { createEdgeTargets } from '../../src/storage/edge-targets.ts';
import { ipOf, setUpLives } from './edge-lives.ts';
import { setUpParties } from './edge-parties.ts';
import { never } from './polls-world.ts';

const OBSERVED = 'proxy.observed';
const UNREGISTER = /\/unregister$/;
const backendOf = (vmid: number, port = 25_565) => ({
  ...{ serverName: `mc-${vmid}`, address: ipOf(vmid), port },
});

async function setUp(options: Parameters<typeof setUpParties>[0] = {}) {
  await using opened = new AsyncDisposableStack();
  const parties = opened.use(await setUpParties(options));
  const lives = opened.use(await setUpLives());
  const { velocity: client } = parties.connect();

  /** A node of its own. `wrap` lets something happen while the bridge is asked. */
  function createSweep(wrap: (bridge: VelocityClient) => Partial<VelocityClient> = () => ({})) {
    const { pool, actors } = lives.createNode();
    const bridge = parties.connect(300).velocity;
    const sweep = createBridgeSweep({
      targets: createEdgeTargets(pool),
      velocity: { ...bridge, ...wrap(bridge) },
      tell: createTell(actors),
      isUnchanged: (target) => isUnchanged(actors, target),
      logger: lives.logger,
    });
    return (shutdown = never) => sweep(shutdown);
  }

  const closing = opened.move();
  return {
    ...lives,
    velocity: parties.velocity,
    createSweep,
    sweep: createSweep(),
    /** As the bridge has it, whatever we believe. */
    register: (
      vmid: number,
      { port, name = `mc-${vmid}` }: { port?: number; name?: string } = {},
    ) => client.register({ ...backendOf(vmid, port), serverName: name }),
    async registered(...vmids: number[]): Promise<void> {
      for (const vmid of vmids) {
        await lives.published(vmid);
        await client.register(backendOf(vmid));
      }
    },
    names: () => parties.velocity.servers().map(({ name }) => name),
    sent: () => parties.velocity.requests().filter(({ path }) => UNREGISTER.test(path)).length,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

describe('a sweep of the bridge', () => {
  test('in which all is as we believe is one question, and no write', async () => {
    await using t = await setUp();
    await t.registered(5001, 5002);
    const before = await t.edgeOf(5001);
    const asked = t.velocity.requests().length;

    await t.sweep();
    await t.sweep();

    expect(t.velocity.requests()).toHaveLength(asked + 2);
    expect(await t.edgeOf(5001)).toEqual(before);
    expect(await t.heard(5002, OBSERVED)).toEqual([]);
  });

  test('after its restart tells everybody once, however many nodes look', async () => {
    await using t = await setUp();
    const vmids = Array.from({ length: 40 }, (_, i) => 5001 + i);
    await t.registered(...vmids);
    const nodes = [t.sweep, t.createSweep()];

    t.velocity.restart();
    await Promise.all(nodes.map((sweep) => sweep()));
    await t.sweep();

    for (const vmid of vmids) {
      expect(await t.heard(vmid, OBSERVED)).toMatchObject([{ registration: 'missing' }]);
      expect(await t.edgeOf(vmid)).toMatchObject({
        ...{ edge: 'published', proxy: { registering: 'performing' }, forgotten: 1 },
      });
    }
  });

  test('tells it again if it was forgotten again', async () => {
    await using t = await setUp();
    await t.registered(5001);

    for (let i = 0; i < 2; i += 1) {
      t.velocity.restart();
      await t.sweep();
      await t.register(5001);
      await t.end(5001, 'proxy', 'proxy.registered', { isVerified: true });
    }

    expect(await t.heard(5001, OBSERVED)).toHaveLength(2);
    expect(await t.edgeOf(5001)).toMatchObject({ proxy: 'registered', forgotten: 2 });
  });

  test('registers anew what leads elsewhere', async () => {
    await using t = await setUp();
    await t.published(5001);
    await t.register(5001, { port: 1_234 });

    await t.sweep();

    expect(await t.heard(5001, OBSERVED)).toMatchObject([{ registration: 'elsewhere' }]);
    expect(await t.edgeOf(5001)).toMatchObject({ proxy: { registering: 'performing' } });
    expect(t.names()).toEqual(['mc-5001']);
  });

  test('verifies what an older bridge could only acknowledge', async () => {
    await using t = await setUp();
    await t.published(5001, { isVerified: false });
    await t.register(5001);
    const before = await t.edgeOf(5001);

    await t.sweep();
    await t.sweep();

    expect(before.proxy).toBe('unverifiable');
    expect(await t.heard(5001, OBSERVED)).toHaveLength(1);
    expect(await t.edgeOf(5001)).toMatchObject({ proxy: 'registered', forgotten: 0 });
  });

  test('of an older bridge, which lists nothing, changes nothing', async () => {
    await using t = await setUp({ isOlder: true });
    await t.published(5001, { isVerified: false });
    await t.published(5002);
    await t.unpublished(5003);
    await t.register(5003);
    const before = await Promise.all([5001, 5002, 5003].map(t.edgeOf));

    await t.sweep();

    expect(await Promise.all([5001, 5002, 5003].map(t.edgeOf))).toEqual(before);
    expect([t.names(), t.sent()]).toEqual([['mc-5003'], 0]);
  });
});

describe('a name that leads nowhere', () => {
  test('is taken back from an instance that lives no more, or wants none', async () => {
    await using t = await setUp();
    await t.registered(5001);
    await t.unpublished(5002);
    await t.published(5003);
    await t.archive(5003);
    for (const vmid of [5002, 5003, 9_999]) await t.register(vmid);

    await t.sweep();

    // Nobody here knows what 9999 is; an operator's own lobby is no different.
    expect(t.names()).toEqual(['mc-5001', 'mc-9999']);
    expect(t.sent()).toBe(2);
    expect(t.lines.map((line) => JSON.parse(line).server).sort()).toEqual(['mc-5002', 'mc-5003']);
  });

  test('in other letters is the same name', async () => {
    await using t = await setUp();
    await t.unpublished(5001);
    await t.published(5002);
    await t.archive(5002);
    for (const vmid of [5001, 5002]) await t.register(vmid, { name: `MC-${vmid}` });

    await t.sweep();

    expect(t.names()).toEqual([]);
  });

  test('stays if its number has come round, and the next life is about to have it', async () => {
    await using t = await setUp();
    await t.archive(5001, '5001-earlier');
    const sweep = t.createSweep((bridge) => ({
      async status(call) {
        // After the rows were read, and before the bridge is.
        await t.published(5001);
        await t.register(5001);
        return bridge.status(call);
      },
    }));

    await sweep();

    expect([t.names(), t.sent()]).toEqual([['mc-5001'], 0]);
  });

  test('stays if its instance has begun to want it meanwhile, or has ended', async () => {
    await using t = await setUp();
    for (const vmid of [5001, 5002]) {
      await t.unpublished(vmid);
      await t.register(vmid);
    }
    const sweep = t.createSweep((bridge) => ({
      async status(call) {
        const answer = await bridge.status(call);
        await t.republish(5001);
        await t.archive(5002);
        return answer;
      },
    }));

    await sweep();
    const meanwhile = [t.names(), t.sent()];
    await t.sweep();

    expect(meanwhile).toEqual([['mc-5001', 'mc-5002'], 0]);
    expect(t.names()).toEqual(['mc-5001']);
  });
});

describe('an instance that has stepped meanwhile', () => {
  test('is left alone', async () => {
    await using t = await setUp();
    await t.registered(5001);
    const sweep = t.createSweep((bridge) => ({
      async status(call) {
        const answer = await bridge.status(call);
        await t.tell(5001, {
          ...{ type: 'proxy.reported', status: 'proxy_ping_ok', serverName: 'mc-5001' },
          ...{ address: ipOf(5001), port: 25_565, duplicate: false },
          ...{ latencyMs: 3, detail: null, reportedAt: null },
        });
        return answer;
      },
    }));
    t.velocity.restart();

    await sweep();
    const between = await t.edgeOf(5001);
    await t.sweep();

    expect(between).toMatchObject({ proxy: 'ping_ok', forgotten: 0 });
    expect(await t.edgeOf(5001)).toMatchObject({ forgotten: 1 });
  });

  test('or has a call in flight, is left alone', async () => {
    await using t = await setUp();
    await t.publishing(5001);
    const before = await t.edgeOf(5001);

    await t.sweep();

    expect(before.proxy).toEqual({ registering: 'performing' });
    expect(await t.edgeOf(5001)).toEqual(before);
    expect(t.sent()).toBe(0);
  });
});

describe('a bridge that fails', () => {
  const status = { method: 'GET', path: /\/status$/, times: 2 } as const;

  test.each([
    [{ ...status, kind: 'status', status: 500, text: 'out of order' }, 'bridge_failed'],
    [{ ...status, kind: 'drop_before' }, 'no_answer'],
    [{ ...status, kind: 'hang' }, 'timed_out'],
  ] as const)('%o ends the sweep with an error, and changes nothing', async (fault, reason) => {
    await using t = await setUp();
    await t.registered(5001);
    await t.unpublished(5002);
    await t.register(5002);
    const before = await t.edgeOf(5001);
    const planned = t.velocity.faults.plan(fault);

    await expect(t.sweep()).rejects.toMatchObject({ reason });

    expect(planned.fired).toBeGreaterThan(0);
    expect(await t.edgeOf(5001)).toEqual(before);
    expect([t.names(), t.sent()]).toEqual([['mc-5001', 'mc-5002'], 0]);
  });

  test('at a name that has to go leaves it, and the next sweep sees to it', async () => {
    await using t = await setUp();
    await t.unpublished(5001);
    await t.register(5001);
    const fault = t.velocity.faults.plan({ method: 'POST', path: UNREGISTER, kind: 'drop_before' });

    await expect(t.sweep()).rejects.toMatchObject({ reason: 'no_answer' });
    const between = t.names();
    await t.sweep();

    expect(fault.fired).toBe(1);
    expect([between, t.names()]).toEqual([['mc-5001'], []]);
  });

  test('to answer before the node shuts down is not waited for', async () => {
    await using t = await setUp();
    t.velocity.faults.plan({ ...status, kind: 'hang' });
    const gone = new Error('this node shuts down');

    await expect(t.sweep(AbortSignal.abort(gone))).rejects.toBe(gone);
  });
});
