import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { setUpAgents } from './polls-world.ts';
import { addressOf } from './worker-world.ts';

const OBSERVED = 'agent.observed';

describe('what an agent says', () => {
  test('is told when it changes, and costs no write while it does not', async () => {
    await using t = await setUpAgents([5001]);
    const { poll } = t.createPoller();
    const before = await t.stateOf(t.main, 5001);

    await poll();
    await poll();
    const same = await t.stateOf(t.main, 5001);
    Object.assign(t.agentOf(5001), {
      ready: false,
      status: { state: 'starting', installStep: 'x' },
    });
    await poll();
    await poll();
    const changed = await t.stateOf(t.main, 5001);

    expect(same).toEqual(before);
    expect(changed).toMatchObject({ agent: 'alive', version: before.version + 1 });
    expect(await t.heard(5001, OBSERVED)).toMatchObject([{ condition: 'alive', installStep: 'x' }]);
  });

  test('is told once, however many nodes hear it at the same time', async () => {
    await using t = await setUpAgents([5001, 5002]);
    const nodes = [t.createPoller(), t.createPoller(), t.createPoller()];
    for (const vmid of [5001, 5002]) {
      Object.assign(t.agentOf(vmid), { ready: false, status: { state: 'crashed', crashCount: 1 } });
    }

    await Promise.all(nodes.map(({ poll }) => poll()));
    await Promise.all(nodes.map(({ poll }) => poll()));

    for (const vmid of [5001, 5002]) {
      expect(await t.heard(vmid, OBSERVED)).toMatchObject([{ condition: 'crashed' }]);
      expect((await t.contextOf(t.main.actors, vmid)).agent).toMatchObject({ crashCount: 1 });
    }
  });

  test('counts every crash once, also those between two looks', async () => {
    await using t = await setUpAgents([5001]);
    const { poll } = t.createPoller();
    const agent = t.agentOf(5001);
    const crashed = async (crashCount: number) => {
      Object.assign(agent, { ready: false, status: { state: 'crashed', crashCount } });
      await poll();
      await poll();
      return (await t.contextOf(t.main.actors, 5001)).agent.crashCount;
    };
    await poll();

    const counts = [await crashed(1), await crashed(4), await crashed(4)];

    expect(counts).toEqual([1, 4, 4]);
  });

  test('is ready by its own word alone: numbers that do not come take nothing from it', async () => {
    await using t = await setUpAgents([5001, 5002]);
    const { poll, polled } = t.createPoller();
    t.agentOf(5001).answers['/status'] = 'garbage';
    t.agentOf(5002).answers['/status'] = 'hang';

    await poll();
    await until(() => polled.length === 2, { what: 'both polls to end' });

    expect(polled.map(({ condition }) => condition)).toEqual(['ready', 'ready']);
    expect(t.agentOf(5001).fired).toEqual(['garbage /status']);
    expect(t.agentOf(5002).fired).toEqual(['hang /status']);
    expect(await t.heard(5001, OBSERVED)).toEqual([]);
    expect(await t.heard(5002, OBSERVED)).toEqual([]);
  });

  test.each([
    ['error', 'alive'],
    ['stopped', 'alive'],
    ['something new', 'alive'],
    ['crashed', 'crashed'],
  ])('not ready and %s is %s', async (state, condition) => {
    await using t = await setUpAgents([5001]);
    Object.assign(t.agentOf(5001), { ready: false, status: { state } });

    await t.createPoller().poll();

    expect(await t.stateOf(t.main, 5001)).toMatchObject({ agent: condition });
  });

  test('cannot make the database refuse the steps of others', async () => {
    await using t = await setUpAgents([5001, 5002]);
    const { poll } = t.createPoller();
    const installStep = `a\u0000b\ud800${'x'.repeat(1_000)}`;
    const status = { state: 'installing', installStep, crashCount: 1e300 };
    Object.assign(t.agentOf(5001), { ready: false, status });
    Object.assign(t.agentOf(5002), { ready: false, status: { state: 'starting' } });

    await poll();

    expect(t.lines).toEqual([]);
    expect(await t.stateOf(t.main, 5001)).toMatchObject({ agent: 'alive' });
    expect(await t.stateOf(t.main, 5002)).toMatchObject({ agent: 'alive' });
    const [told] = await t.heard(5001, OBSERVED);
    expect(told).toMatchObject({ installStep: expect.stringMatching(/^a b\ufffdx+$/) });
    expect(String(told?.['installStep']).length).toBe(200);
  });

  test('before its container was started again says nothing of it after', async () => {
    await using t = await setUpAgents([5001]);
    const { poll } = t.createPoller();
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { ip } = await t.contextOf(t.main.actors, 5001);
    Object.assign(t.agentOf(5001), { readySource: 'tcp_probe' });
    t.agentOf(5001).answers['/ready'] = gate;
    const sweep = poll();
    await until(() => t.agentOf(5001).asked.includes('/ready'), { what: 'the poll to begin' });

    for (const power of ['stopped', 'running']) {
      const seen = { power, node: 'pve1', lock: null, opId: null };
      await t.main.actors.tell(addressOf(5001), { type: 'host.observed', ...seen });
    }
    await t.main.actors.tell(addressOf(5001), { type: 'address.found', opId: null, ip });
    open();
    await sweep;
    const after = await t.stateOf(t.main, 5001);
    delete t.agentOf(5001).answers['/ready'];
    await poll();

    expect(after).toMatchObject({ agent: 'unknown' });
    expect(await t.stateOf(t.main, 5001)).toMatchObject({ agent: 'ready' });
  });
});

describe('an agent that does not answer', () => {
  test('is missed after three polls in a row, whoever makes them, and heard again at once', async () => {
    await using t = await setUpAgents([5001]);
    const [one, two] = [t.createPoller(), t.createPoller()];
    const agent = t.agentOf(5001);
    const states: unknown[] = [];
    const pollBy = async ({ pollAll }: typeof one) => {
      await pollAll();
      states.push((await t.stateOf(t.main, 5001)).agent);
    };

    agent.answers['/health'] = 'drop';
    for (const node of [one, two, one, two]) await pollBy(node);
    delete agent.answers['/health'];
    await pollBy(one);

    expect(states).toEqual(['ready', 'ready', 'unreachable', 'unreachable', 'ready']);
    expect(await t.heard(5001, OBSERVED)).toMatchObject([
      { condition: 'unreachable' },
      { condition: 'ready' },
    ]);
    expect(agent.fired.length).toBeGreaterThanOrEqual(4);
  });

  test('in between is not missed: an answer begins the count anew, as does an empty Redis', async () => {
    await using t = await setUpAgents([5001]);
    const { pollAll } = t.createPoller();
    const agent = t.agentOf(5001);

    for (const isLost of [true, true, false, true, true]) {
      if (isLost) agent.answers['/health'] = 'drop';
      else delete agent.answers['/health'];
      await pollAll();
    }
    await t.redis.del(`${t.prefix}:agent:5001`);
    agent.answers['/health'] = 'drop';
    await pollAll();
    await pollAll();

    expect(await t.heard(5001, OBSERVED)).toEqual([]);
    expect(agent.fired.length).toBeGreaterThanOrEqual(6);
  });

  test('keeps its numbers until it is missed, and the time when it was heard', async () => {
    await using t = await setUpAgents([5001]);
    const { pollAll } = t.createPoller();
    const agent = t.agentOf(5001);
    agent.status = { state: 'running', players: 7 };
    const look = async () => (await t.live.loadPolled([5001])).get(5001);

    await pollAll();
    const heard = await look();
    agent.answers['/health'] = 'drop';
    await pollAll();
    const lost = await look();
    await pollAll();
    await pollAll();
    const missed = await look();

    expect(heard).toMatchObject({ players: 7, condition: 'ready', misses: 0 });
    expect(lost).toEqual({
      ...heard,
      askedAt: expect.any(Number),
      misses: 1,
      isSlow: expect.any(Boolean),
    });
    expect(missed).toMatchObject({ players: null, condition: 'unreachable', misses: 3 });
    expect(missed?.seenAt).toBe(heard?.seenAt);
    expect(missed?.askedAt).toBeGreaterThan(heard?.askedAt ?? 0);
  });
});
