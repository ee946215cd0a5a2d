/** Lets one at a time do something to a subject, in the order of asking; who gives up leaves. */
export function createTurns() {
  const tails = new Map<string, Promise<void>>();

  return async function inTurn<Result>(
    subject: string,
    signal: AbortSignal,
    act: () => Promise<Result>,
  ): Promise<Result> {
    const before = tails.get(subject);
    const { promise: mine, resolve: leave } = Promise.withResolvers<void>();
    // Who leaves early does not let the next one in before those ahead have left too.
    const tail = Promise.all([before, mine]).then(() => {
      if (tails.get(subject) === tail) tails.delete(subject);
    });
    tails.set(subject, tail);
    try {
      await turnOf(before, signal);
      return await act();
    } finally {
      leave();
    }
  };
}

/** @throws the signal's reason, as soon as it gives up */
async function turnOf(before: Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const giveUp = () => aborted.resolve();
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    if (!signal.aborted) await Promise.race([before, aborted.promise]);
    signal.throwIfAborted();
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}
