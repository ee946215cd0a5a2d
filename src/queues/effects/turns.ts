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
    const tail = before === undefined ? mine : before.then(() => mine);
    tails.set(subject, tail);
    try {
      await before;
      signal.throwIfAborted();
      return await act();
    } finally {
      leave();
      if (tails.get(subject) === tail) tails.delete(subject);
    }
  };
}
