import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MIN_MS = 10;
const PAUSE_MAX_MS = 50;
/** Looking costs work that others wait for: what takes long is looked at less often. */
const pauseMs = (waitedMs: number) => Math.min(Math.max(waitedMs / 20, PAUSE_MIN_MS), PAUSE_MAX_MS);

/**
 * Resolves with the first value of `check` that is neither false nor null nor undefined. A check
 * that throws is asked again, and its last error is the cause of ours.
 * @throws Error naming `what` if that has not happened after `timeoutMs`.
 */
export async function until<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 5_000, what }: { readonly timeoutMs?: number; readonly what: string },
): Promise<Exclude<T, false | null | undefined>> {
  const from = performance.now();
  let cause: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== null && value !== undefined)
        return value as Exclude<T, false | null | undefined>;
    } catch (error) {
      cause = error;
    }
    const waitedMs = performance.now() - from;
    if (waitedMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms for: ${what}`, { cause });
    await delay(pauseMs(waitedMs));
  }
}
