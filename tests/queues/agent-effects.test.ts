import { describe, expect, test } from 'vitest';

import { createAgentClient } from '../../src/clients/agent/client.ts';
import type { Effect } from '../../src/machines/instance/types.ts';
import { createAgentPerformers } from '../../src/queues/effects/agent.ts';
import type { Performance, ToldEvent } from '../../src/queues/effects/performer.ts';
import { setUp as startAgent } from '../lab/agent-world.ts';
import { until } from '../support/until.ts';

const PAYLOAD = {
  game: null,
  variant: null,
  runtime: 'node',
  version: '22',
  world: null,
  memoryMiB: 512,
  cpuCores: 1,
  edge: null,
  proxy: null,
};
const CONFIGURED = { type: 'agent.configured', opId: '1' };

async function setUp(order: Parameters<typeof startAgent>[0] & { bootTimeoutMs?: number } = {}) {
  await using opened = new AsyncDisposableStack();
  const { bootTimeoutMs = 5_000, ...rest } = order;
  const world = opened.use(await startAgent(rest));
  const agents = opened.use(createAgentClient({ port: 18_888, timeoutMs: 2_000 }));
  const performers = createAgentPerformers({ agents, pollMs: 5, bootTimeoutMs });
  const told: ToldEvent[] = [];
  const given = { opId: '1', vmid: 5001, id: '5001-a', ip: world.agent.host };
  const performanceOf = (signal: AbortSignal): Performance => ({
    upid: null,
    ageMs: 0,
    signal,
    progress: async (event) => void told.push(event),
  });
  const closing = opened.move();
  return {
    world,
    told,
    steps: () => told.map((event) => 'installStep' in event && event.installStep),
    configure(overrides: Partial<Extract<Effect, { kind: 'agent.configure' }>> = {}) {
      const order = { ctype: 'dev', ports: [], payload: PAYLOAD } as const;
      return performers['agent.configure'](
        { ...given, kind: 'agent.configure', ...order, ...overrides },
        performanceOf(AbortSignal.timeout(10_000)),
      );
    },
    awaitReady: (signal: AbortSignal = AbortSignal.timeout(10_000)) =>
      performers['agent.await']({ ...given, kind: 'agent.await' }, performanceOf(signal)),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

describe('a configuration', () => {
  test('given twice, one after the other and at the same time, is one installation', async () => {
    await using t = await setUp();

    const outcomes = [await t.configure(), ...(await Promise.all([t.configure(), t.configure()]))];

    expect(outcomes).toEqual([CONFIGURED, CONFIGURED, CONFIGURED]);
    expect(await t.world.agent.reached('running')).toMatchObject({ crashCount: 0 });
    expect(await t.configure()).toEqual(CONFIGURED);
  });

  test('other than the one in place is refused by the agent, for good', async () => {
    await using t = await setUp();
    await t.configure();

    const other = t.configure({ payload: { ...PAYLOAD, version: '24' } });

    await expect(other).rejects.toMatchObject({ reason: 'agent_refused', retryable: false });
  });

  test('waits for an agent that boots, and gives up on one that stays silent', async () => {
    await using t = await setUp({ bootTimeoutMs: 50 });

    // Nobody listens at the next address.
    const silent = t.configure({ ip: '127.9.9.9' });

    await expect(silent).rejects.toMatchObject({ reason: 'agent_silent', retryable: true });
  });
});

describe('waiting for an agent', () => {
  test('ends, for everybody who waits, when the agent itself says that it is ready', async () => {
    await using t = await setUp({ stepMs: 30 });
    await t.configure();

    const outcomes = await Promise.all([t.awaitReady(), t.awaitReady()]);
    const again = await t.awaitReady();

    for (const outcome of [...outcomes, again])
      expect(outcome).toMatchObject({
        type: 'agent.observed',
        condition: 'ready',
        installStep: null,
      });
  });

  test('tells each step of the installation once', async () => {
    await using t = await setUp({ stepMs: 40 });
    await t.configure();

    await t.awaitReady();

    expect(t.told.every((event) => event.type === 'agent.observed')).toBe(true);
    expect(t.steps().length).toBeGreaterThan(1);
    expect(new Set(t.steps()).size).toBe(t.steps().length);
  });

  test('fails for good when the installation has failed', async () => {
    await using t = await setUp({ faults: { installFails: 'the disk is full' } });
    await t.configure();

    const waiting = t.awaitReady();

    await expect(waiting).rejects.toMatchObject({ reason: 'agent_error', retryable: false });
    await expect(waiting).rejects.toThrow('the disk is full');
  });

  test('tells that an agent has become unreachable, once, and goes on when it is back', async () => {
    await using t = await setUp({ faults: { neverReady: true } });
    await t.configure();
    const waiting = t.awaitReady();
    const isTold = (condition: string) =>
      t.told.some((event) => event.type === 'agent.observed' && event.condition === condition);
    await until(() => isTold('alive'), { what: 'the agent to be seen' });

    await t.world.agent[Symbol.asyncDispose]();
    await until(() => isTold('unreachable'), { what: 'the agent to be missed' });
    t.world.setFaults({});
    await t.world.restart();

    expect(await waiting).toMatchObject({ condition: 'ready' });
    const conditions = t.told.map((event) => 'condition' in event && event.condition);
    expect(conditions.filter((condition) => condition === 'unreachable')).toHaveLength(1);
  });

  test('ends at once when it is called off', async () => {
    await using t = await setUp({ faults: { neverReady: true } });
    await t.configure();
    const superseded = new AbortController();
    const waiting = t.awaitReady(superseded.signal);
    await until(() => t.told.length > 0, { what: 'the agent to be seen' });

    superseded.abort(new Error('superseded'));

    await expect(waiting).rejects.toThrow();
  });
});
