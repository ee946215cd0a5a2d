import { setTimeout as delay } from 'node:timers/promises';

import type { LifePlan } from './crash-lives.ts';
import type { Nodes, SupervisedNode } from './crash-nodes.ts';
import { until } from './until.ts';

export type Random = () => number;

/** mulberry32: the same seed gives the same numbers, from 0 up to 1, on every machine. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** CRASH_SEED repeats a storm; without it every run is another one. */
export function chooseSeed(): number {
  const given = process.env['CRASH_SEED'];
  return given ? Number(given) : Math.floor(Math.random() * 2 ** 31);
}

export interface Storm {
  /** Lives of all kinds, until the storm is over. */
  plans(): Generator<LifePlan>;
  /** Kills one of the nodes, again and again, at random times. Answers how often. */
  rage(nodes: Nodes, kills: number): Promise<number>;
}

/** Mostly one that is at work, sometimes one that is just starting. */
function pick(random: Random, nodes: Nodes): SupervisedNode | undefined {
  const all = nodes.all();
  const atWork = all.filter(({ hasStarted }) => hasStarted);
  const candidates = atWork.length > 0 && random() < AT_WORK_SHARE ? atWork : all;
  return candidates[Math.floor(random() * candidates.length)];
}

const START_TIMEOUT_MS = 60_000;
const AT_WORK_SHARE = 0.8;
const KINDS = ['whole', 'powered', 'cut', 'cut', 'forgotten', 'kept'] as const;
const CUT_AFTER_MAX_MS = 1_000;
const KEPT_MAX = 3;

export function createStorm(options: {
  readonly seed: number;
  readonly pauseMinMs: number;
  readonly pauseMaxMs: number;
}): Storm {
  const { seed, pauseMinMs, pauseMaxMs } = options;
  // Two streams of numbers: who draws first depends on the clock.
  const [ordering, killing] = [createRandom(seed), createRandom(~seed)];
  let isOver = false;
  let kept = 0;
  return {
    *plans() {
      while (!isOver) {
        const kind = KINDS[Math.floor(ordering() * KINDS.length)] ?? 'whole';
        const cutAfterMs = ordering() * CUT_AFTER_MAX_MS;
        if (kind === 'kept') kept += 1;
        yield kind === 'kept' && kept > KEPT_MAX ? { kind: 'whole' } : { kind, cutAfterMs };
      }
    },
    async rage(nodes, kills) {
      let killed = 0;
      try {
        while (killed < kills) {
          await delay(pauseMinMs + killing() * (pauseMaxMs - pauseMinMs));
          // Where nobody ever works there is nothing to interrupt.
          await until(() => nodes.all().some(({ hasStarted }) => hasStarted), {
            what: 'a node at work',
            timeoutMs: START_TIMEOUT_MS,
          });
          await pick(killing, nodes)?.kill();
          killed += 1;
        }
      } finally {
        isOver = true;
      }
      return killed;
    },
  };
}
