import { setTimeout as delay } from 'node:timers/promises';

import { UpstreamError } from '../../errors.ts';

export interface PollOptions {
  readonly signal: AbortSignal;
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly failure: { readonly reason: string; readonly message: string };
}

/** Asks until there is an answer. @throws UpstreamError with `failure` after `timeoutMs` */
export async function poll<Answer>(
  ask: () => Promise<Answer | null>,
  { signal, pollMs, timeoutMs, failure }: PollOptions,
): Promise<Answer> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > deadline) {
      throw new UpstreamError(failure.message, { reason: failure.reason, retryable: true });
    }
    await delay(pollMs, undefined, { signal });
  }
}
