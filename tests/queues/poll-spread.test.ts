import { describe, expect, test } from 'vitest';

import { delayOf, spreadOf } from '../../src/queues/polls/spread.ts';
import { until } from '../support/until.ts';
import { setUpAgents } from './polls-world.ts';

describe('the polls of one shard', () => {
  test.each([
    ['end when the next shard begins', { everyMs: 5_000, shards: 8, timeoutMs: 2_000 }, 625],
    ['leave the last time to end', { everyMs: 5_000, shards: 1, timeoutMs: 2_000 }, 1_500],
    ['begin at once if there is none', { everyMs: 2_000, shards: 1, timeoutMs: 2_000 }, 0],
    [
      'begin at once if there is less than none',
      { everyMs: 1_000, shards: 1, timeoutMs: 5_000 },
      0,
    ],
  ])('%s', (_, polls, spreadMs) => {
    expect(spreadOf(polls)).toBe(spreadMs);
  });

  test.each([1, 8, 13])(
    'begin evenly over their time, each always at its own (1 of %i)',
    (shards) => {
      const vmids = Array.from({ length: 1_000 }, (_, index) => 5_000 + index * shards);
      const delays = vmids.map((vmid) => delayOf(vmid, 625));

      const perTenth = Array.from(
        { length: 10 },
        (_, tenth) => delays.filter((ms) => Math.floor(ms / 62.5) === tenth).length,
      );

      expect(delays).toEqual(vmids.map((vmid) => delayOf(vmid, 625)));
      expect(Math.min(...perTenth)).toBeGreaterThan(80);
      expect(Math.max(...perTenth)).toBeLessThan(120);
    },
  );

  test('begin one after the other, each in its time, and none is left out', async () => {
    const vmids = Array.from({ length: 20 }, (_, index) => 5001 + index);
    await using t = await setUpAgents(vmids, { spreadMs: 500 });
    const { poll } = t.createPoller();

    await poll();

    const askedAt = vmids.map((vmid) => t.agentOf(vmid).askedAt[0] ?? Number.NaN);
    const first = Math.min(...askedAt);
    expect(Math.max(...askedAt) - first).toBeGreaterThan(400);
    for (const [index, vmid] of vmids.entries()) {
      // The first of them begins within the first tenth; a timer may be late, and never early.
      const afterMs = Number(askedAt[index]) - first;
      expect(afterMs).toBeGreaterThan(delayOf(vmid, 500) - 100);
    }
  });

  test('that have not begun when the node shuts down do not begin', async () => {
    const spreadMs = 60_000;
    const byDelay = Array.from({ length: 400 }, (_, index) => 5001 + index).sort(
      (a, b) => delayOf(a, spreadMs) - delayOf(b, spreadMs),
    );
    const [first, ...later] = [byDelay[0], byDelay[100], byDelay[399]] as [number, number, number];
    await using t = await setUpAgents([first, ...later], { spreadMs });
    const { poll } = t.createPoller();
    const shutdown = new AbortController();
    const sweep = poll(shutdown.signal);
    await until(() => t.agentOf(first).asked.length > 0, { what: 'the first poll to begin' });

    shutdown.abort(new Error('this node shuts down'));
    await sweep;

    expect(later.map((vmid) => t.agentOf(vmid).asked)).toEqual([[], []]);
  });
});
