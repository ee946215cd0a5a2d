import { describe, expect, test } from 'vitest';

import { setUpAgents } from './polls-world.ts';

const OBSERVED = 'agent.observed';
const POLL_MS = 5_000;

/** Two workers that poll one agent by turns, on a clock that the test turns. */
async function setUp() {
  const clock = { at: Date.now() };
  const t = await setUpAgents([5001], { now: () => clock.at });
  const pollers = [t.createPoller(), t.createPoller()] as const;
  let turn = 0;
  return {
    ...t,
    agent: t.agentOf(5001),
    async pollAfter(ms = POLL_MS) {
      clock.at += ms;
      turn += 1;
      await pollers[turn % 2 ? 0 : 1].pollAll();
    },
    told: () => t.heard(5001, OBSERVED),
    [Symbol.asyncDispose]: () => t[Symbol.asyncDispose](),
  };
}

describe('an agent that says something else at every poll', () => {
  test('is told of sparingly after a while, whoever polls it, and the newest in the end', async () => {
    await using t = await setUp();
    Object.assign(t.agent, { ready: false, status: { state: 'starting' } });
    await t.pollAfter();

    for (let poll = 1; poll <= 36; poll += 1) {
      t.agent.status = { state: 'installing', installStep: `step ${poll}` };
      await t.pollAfter();
    }
    const during = (await t.told()).length;
    t.agent.status = { state: 'installing', installStep: 'the last' };
    await t.pollAfter();
    await t.pollAfter(20_000);
    const told = await t.told();

    // A burst of six, and one in twenty seconds of the three minutes.
    expect(during).toBeGreaterThanOrEqual(12);
    expect(during).toBeLessThanOrEqual(6 + 9);
    expect(told.at(-1)).toMatchObject({ condition: 'alive', installStep: 'the last' });
  });

  test('is told of at once when it gets ready or breaks down, and when it does not any more', async () => {
    await using t = await setUp();
    for (let poll = 1; poll <= 12; poll += 1) {
      Object.assign(t.agent, {
        ready: false,
        status: { state: 'installing', installStep: `step ${poll}` },
      });
      await t.pollAfter();
    }
    const held = (await t.told()).at(-1);

    t.agent.ready = true;
    await t.pollAfter();
    Object.assign(t.agent, { ready: false, status: { state: 'crashed', crashCount: 1 } });
    await t.pollAfter();
    t.agent.status = { state: 'starting', crashCount: 1 };
    await t.pollAfter();
    const told = await t.told();

    expect(held).not.toMatchObject({ installStep: 'step 12' });
    expect(told.slice(-3)).toMatchObject([
      { condition: 'ready' },
      { condition: 'crashed' },
      { condition: 'alive', state: 'starting' },
    ]);
  });

  test('may say everything again when it has been quiet for a while', async () => {
    await using t = await setUp();
    for (let poll = 1; poll <= 30; poll += 1) {
      Object.assign(t.agent, { ready: poll % 2 === 0, status: { state: 'starting' } });
      await t.pollAfter();
    }
    const before = (await t.told()).length;

    await t.pollAfter(120_000);
    for (const state of ['stopping', 'stopped', 'starting', 'idle']) {
      Object.assign(t.agent, { ready: false, status: { state } });
      await t.pollAfter();
    }
    const after = (await t.told()).slice(before);

    expect(before).toBe(30);
    expect(after.map(({ state }) => state)).toEqual(['stopping', 'stopped', 'starting', 'idle']);
  });
});
