export interface Lease extends AsyncDisposable {
  /** Ends when the lease is lost, the effect is not wanted any more, or the node shuts down. */
  readonly signal: AbortSignal;
  /** The effect has ended: there is nothing to give back. */
  settled(): void;
}

/** Keeps a lease alive while its holder works, and gives it back when the holder leaves early. */
export function holdLease(options: {
  /** false: lost, or not wanted any more. */
  readonly renew: () => Promise<boolean>;
  readonly release: () => Promise<void>;
  readonly everyMs: number;
  readonly shutdown: AbortSignal;
}): Lease {
  const lost = new AbortController();
  let isSettled = false;
  const timer = setInterval(() => {
    options.renew().then(
      (isHeld) => {
        if (!isHeld) lost.abort(new Error('the lease is lost'));
      },
      (error: unknown) => lost.abort(error),
    );
  }, options.everyMs);
  return {
    signal: AbortSignal.any([lost.signal, options.shutdown]),
    settled() {
      isSettled = true;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      if (!isSettled) await options.release();
    },
  };
}
