import { createSlots, endsWithin } from './slots.ts';

export interface Lanes {
  /**
   * Resolves when the work has ended, or has turned out to be slow and goes on among the
   * suspects. Work whose key is under way already, in whichever lane, is not begun beside itself.
   */
  runHealthy(key: number, work: () => Promise<void>): Promise<void>;
  /** For what was slow or silent last time. Nobody waits for it. */
  runSuspect(key: number, work: () => Promise<void>): void;
}

/**
 * Two lanes, so that what answers never waits behind what hangs, also when it begins to hang
 * just now: who is slow makes room as long as there is room among the suspects. `work` must end
 * by itself, and must not reject.
 */
export function createLanes(options: {
  readonly healthyMax: number;
  readonly suspectsMax: number;
  /** Longer than this is slow. */
  readonly patienceMs: number;
}): Lanes {
  const { patienceMs } = options;
  const healthy = createSlots(options.healthyMax);
  const suspects = createSlots(options.suspectsMax);
  const under = new Set<number>();

  async function begin(key: number, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } finally {
      under.delete(key);
    }
  }

  return {
    async runHealthy(key, work) {
      if (under.has(key)) return;
      under.add(key);
      await healthy.take();
      const begun = begin(key, work);
      const isSlow = !(await endsWithin(begun, patienceMs));
      if (!isSlow || !suspects.tryTake()) {
        await begun;
        healthy.give();
        return;
      }
      healthy.give();
      void begun.finally(suspects.give);
    },
    runSuspect(key, work) {
      if (under.has(key)) return;
      under.add(key);
      void suspects
        .take()
        .then(() => begin(key, work))
        .finally(suspects.give);
    },
  };
}
