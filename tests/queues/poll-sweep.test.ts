import { describe, expect, test } from 'vitest';

import { inShards } from '../../src/queues/polls/sweep-agents.ts';
import { startSweepKeeper } from '../../src/queues/workers/sweep.ts';
import { until } from '../support/until.ts';
import { setUpNodes } from './node-world.ts';
import { setUpAgents } from './polls-world.ts';
import { addressOf, logger } from './worker-world.ts';

describe('an agent that misbehaves', () => {
  test('costs its deadline and no more, and is what it says of itself', async () => {
    const cases = [
      ['hang', '/health', 'unreachable'],
      ['drip', '/health', 'unreachable'],
      ['huge', '/health', 'unreachable'],
      ['noise', '/health', 'unreachable'],
      ['half_close', '/health', 'unreachable'],
      ['hang', '/ready', 'alive'],
      ['drip', '/ready', 'alive'],
      ['huge', '/ready', 'alive'],
      ['garbage', '/ready', 'alive'],
      ['noise', '/ready', 'alive'],
      ['half_close', '/ready', 'alive'],
      ['drip', '/status', 'ready'],
      ['huge', '/status', 'ready'],
      ['noise', '/status', 'ready'],
      ['half_close', '/status', 'ready'],
    ] as const;
    const vmids = cases.map((_, index) => 5001 + index);
    await using t = await setUpAgents(vmids, { timeoutMs: 500 });
    const { pollAll, polled } = t.createPoller();
    for (const [index, [way, path]] of cases.entries()) t.agentOf(5001 + index).answers[path] = way;

    await pollAll();
    await pollAll();
    await pollAll();

    const fired = vmids.map((vmid) => t.agentOf(vmid).fired[0]);
    const states = await Promise.all(vmids.map((vmid) => t.stateOf(t.main, vmid)));
    expect(fired).toEqual(cases.map(([way, path]) => `${way} ${path}`));
    expect(states.map(({ agent }) => agent)).toEqual(cases.map(([, , condition]) => condition));
    expect(Math.max(...polled.map(({ ms }) => ms))).toBeLessThan(2_000);
    expect(t.lines).toEqual([]);
  });

  test('keeps no other waiting, from the first poll on', async () => {
    const vmids = Array.from({ length: 40 }, (_, index) => 5001 + index);
    const hanging = vmids.slice(0, 12);
    const healthy = vmids.slice(12);
    await using t = await setUpAgents(vmids, { timeoutMs: 4_000, concurrency: 4 });
    const { poll } = t.createPoller();
    for (const vmid of hanging) t.agentOf(vmid).answers['/health'] = 'hang';
    for (const vmid of healthy) Object.assign(t.agentOf(vmid), { readySource: 'changed' });

    const begunAt = performance.now();
    await poll();
    const tookMs = performance.now() - begunAt;
    const sources = await Promise.all(
      healthy.map(async (vmid) => (await t.contextOf(t.main.actors, vmid)).agent.readySource),
    );
    await poll();
    await poll();
    const asked = hanging.map((vmid) => t.agentOf(vmid).asked.length);

    // Room for four: each group of four that hangs costs the others no more than our patience.
    expect(tookMs).toBeLessThan(3_000);
    expect(new Set(sources)).toEqual(new Set(['changed']));
    // What is still out is not polled beside itself.
    expect(asked).toEqual(hanging.map(() => 1));
  });
});

describe('a sweep', () => {
  test('publishes what it heard together, and goes on without what it cannot poll', async () => {
    await using t = await setUpAgents([5001, 5002, 5003]);
    const { poll } = t.createPoller();
    const batches: number[] = [];
    t.live.subscribe(({ agents }) => batches.push(agents.length));
    await t.rows(`UPDATE container_instance SET snapshot =
      jsonb_set(snapshot, '{context,ip}', '"not an address"') WHERE vmid = 5002`);

    await poll();
    await until(() => batches.length > 0, { what: 'live numbers' });

    expect(batches).toEqual([2]);
    expect(t.lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'agents could not be polled', times: 1, err: { code: 'invalid_input' } },
    ]);
  });

  test('of a node that is too busy to poll counts nothing', async () => {
    await using t = await setUpAgents([5001], { timeoutMs: 100 });
    const { poll, polled } = t.createPoller();
    const agent = t.agentOf(5001);
    agent.answers['/health'] = 'hang';
    const sweep = poll();
    await until(() => agent.fired.length === 1, { what: 'the poll to begin' });

    const busyUntil = performance.now() + 600;
    while (performance.now() < busyUntil);
    await sweep;
    delete agent.answers['/health'];
    // What was under way is not polled beside itself, so that this may take another sweep.
    await until(async () => polled.length > 0 || (await poll()), { what: 'the next poll' });

    expect(polled).toMatchObject([{ answer: 'heard', condition: 'ready' }]);
    expect(t.lines.map((line) => JSON.parse(line))).toMatchObject([
      { err: { code: 'unavailable', message: expect.stringContaining('too busy') } },
    ]);
    expect(agent.fired).toEqual(['hang /health']);
  });

  test('leaves alone what is not in service, or off', async () => {
    await using t = await setUpAgents([5001, 5002]);
    await t.create(t.main.actors, 5003);
    const off = { power: 'stopped', node: 'pve1', lock: null, opId: null };
    await t.main.actors.tell(addressOf(5002), { type: 'host.observed', ...off });
    const { poll, polled } = t.createPoller();

    await poll();

    expect(polled).toHaveLength(1);
    expect(t.agentOf(5002).asked).toEqual([]);
  });

  test('that is cut short by a shutdown ends at once, and counts nothing', async () => {
    await using t = await setUpAgents([5001, 5002], { timeoutMs: 10_000, concurrency: 1 });
    const { poll, polled } = t.createPoller();
    for (const vmid of [5001, 5002]) t.agentOf(vmid).answers['/health'] = 'hang';
    const shutdown = new AbortController();
    const sweep = poll(shutdown.signal);
    await until(() => t.agentOf(5001).fired.length + t.agentOf(5002).fired.length > 0, {
      what: 'the sweep to begin',
    });

    shutdown.abort(new Error('this node shuts down'));
    await sweep;

    expect(polled).toEqual([]);
    expect(await t.live.loadPolled([5001, 5002])).toEqual(new Map());
    expect(t.lines).toEqual([]);
  });
});

test('the shards are begun one after the other, spread over the interval', async () => {
  await using t = await setUpNodes();
  const { queues } = t;
  const sweeps = inShards(async () => {}, { shards: 4, everyMs: 60_000 });
  const keep = () => startSweepKeeper({ queues, queue: 'polls', sweeps, logger });

  using one = keep();
  using two = keep();
  await Promise.all([one.ready, two.ready]);

  const kept = await queues.get('polls').getJobSchedulers();
  expect(kept.map(({ key, next }) => [key, (next ?? 0) % 60_000]).sort()).toEqual([
    ['agents-0-of-4', 7_500],
    ['agents-1-of-4', 22_500],
    ['agents-2-of-4', 37_500],
    ['agents-3-of-4', 52_500],
  ]);
});
