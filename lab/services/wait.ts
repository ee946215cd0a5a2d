import { setTimeout as delay } from 'node:timers/promises';

const PAUSE_MS = 10;

/**
 * Resolves with the first value of `check` that is not undefined.
 * @throws Error naming `what` if that has not happened after `timeoutMs`; whatever `check` throws.
 */
export async function waitFor<T>(
  check: () => T | undefined | Promise<T | undefined>,
  { timeoutMs, what }: { readonly timeoutMs: number; readonly what: string },
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await delay(PAUSE_MS);
  }
}
