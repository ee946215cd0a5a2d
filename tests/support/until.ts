import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/**
 * Resolves with the first value of `check` that is neither false nor null nor undefined. A check
 * that throws is asked again, and its last error is the cause of ours.
 * @throws Error naming `what` if that has not happened after `timeoutMs`.
 */
export async function until<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 5_000, what }: { readonly timeoutMs?: number; readonly what: string },
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== false && value !== null && value !== undefined)
        return value as Exclude<T, false | null | undefined>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms for: ${what}`, { cause });
    await delay(PAUSE_MS);
  }
}
