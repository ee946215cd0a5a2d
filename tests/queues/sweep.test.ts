import { describe, expect, test } from 'vitest';

import { startSweepKeeper } from '../../src/queues/workers/sweep.ts';
import { until } from '../support/until.ts';
import { createWillingWorld, endless, STEPS, setUpNodes } from './node-world.ts';
import { logger } from './worker-world.ts';

describe('a sweep', () => {
  test('finds effects that nobody ever enqueued, and work goes on to its end', async () => {
    await using t = await setUpNodes();
    const { performers, performed } = createWillingWorld();
    await using node = await t.startNode(performers);

    await t.create(node.actors);
    await until(() => t.isReady(node), { what: 'the instance to be ready', timeoutMs: 15_000 });

    expect(performed.slice(0, 4)).toEqual(STEPS.map((step) => `${step} 5001`));
    expect(await t.effects()).toEqual([]);
  });

  test('finds a deadline that has passed', async () => {
    await using t = await setUpNodes();
    await using node = await t.startNode(endless);
    await t.create(node.actors);

    await t.rows(`UPDATE timer SET due_at = now() - interval '1 s'`);

    await until(
      async () => (await t.contextOf(node.actors)).failure?.code === 'deadline_exceeded',
      {
        what: 'the deadline to be delivered',
      },
    );
  });

  test('that takes long is not begun beside itself, and leaves the others their slots', async () => {
    await using t = await setUpNodes();
    let begun = 0;
    const ticks: string[] = [];
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const slow = {
      everyMs: 30,
      run: async () => {
        begun += 1;
        await gate;
      },
    };
    const quick = { everyMs: 60, run: async () => void ticks.push('quick') };
    await using _ = await t.startNode({}, () => ({ slow, quick }));

    await until(() => begun === 1 && ticks.length >= 8, {
      what: 'the others to go on',
      timeoutMs: 10_000,
    });
    const begunMeanwhile = begun;
    open();
    await until(() => begun >= 2, { what: 'the slow one to be begun again' });

    expect(begunMeanwhile).toBe(1);
  });

  test('runs in its time, however often starting nodes write its schedule again', async () => {
    await using t = await setUpNodes();
    const runs: number[] = [];
    const rare = { everyMs: 400, run: async () => void runs.push(performance.now()) };
    await using _ = await t.startNode({}, () => ({ rare }));
    const { queues } = t;

    await until(
      async () => {
        using keeper = startSweepKeeper({ queues, sweeps: { rare }, logger });
        await keeper.ready;
        return runs.length >= 5;
      },
      { what: 'five runs', timeoutMs: 10_000 },
    );

    const [first = 0, last = 0] = [runs[0], runs[4]];
    // A busy machine shifts single runs, but no schedule that is written again begins one.
    expect(last - first).toBeGreaterThan(2 * 400);
  });

  test('in progress is told when the node shuts down', async () => {
    await using t = await setUpNodes();
    const reasons: unknown[] = [];
    const { promise: hasBegun, resolve: begin } = Promise.withResolvers<void>();
    const endless = {
      everyMs: 50,
      run: (shutdown: AbortSignal) =>
        new Promise<void>((resolve) => {
          shutdown.addEventListener('abort', () => resolve(void reasons.push(shutdown.reason)));
          begin();
        }),
    };
    const node = await t.startNode({}, () => ({ endless }));
    await hasBegun;

    await node[Symbol.asyncDispose]();

    expect(reasons).toMatchObject([{ message: 'this node shuts down' }]);
  });
});

describe('two nodes', () => {
  test('share the work, and each effect is performed once', async () => {
    await using t = await setUpNodes();
    const { performers, performed } = createWillingWorld();
    await using one = await t.startNode(performers);
    await using two = await t.startNode(performers);
    const vmids = [5001, 5002, 5003, 5004, 5005, 5006];
    for (const node of [one, two]) node.actors.onCommitted(t.relay.announce);

    await Promise.all(vmids.map((vmid, i) => t.create((i % 2 ? one : two).actors, vmid)));
    await until(
      async () => (await Promise.all(vmids.map((vmid) => t.isReady(one, vmid)))).every(Boolean),
      { what: 'all instances to be ready', timeoutMs: 15_000 },
    );

    expect(performed).toHaveLength(vmids.length * 6);
    expect(new Set(performed).size).toBe(vmids.length * 6);
  });

  test('one of which goes away in the middle leave nothing undone', async () => {
    await using t = await setUpNodes();
    const first = await t.startNode(endless);
    const key = await t.create(first.actors);
    await until(async () => (await t.effects())[0]?.lease_token, { what: 'the clone to begin' });
    const { performers } = createWillingWorld();

    await first[Symbol.asyncDispose]();
    await using second = await t.startNode(performers);
    await until(() => t.isReady(second), { what: 'the other to take over', timeoutMs: 15_000 });

    expect(await t.eventsOf(key)).toMatchObject([{ of: 'end', type: 'container.cloned' }]);
  });
});
