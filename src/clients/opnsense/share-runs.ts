/**
 * Many changes need one reload. Who comes while one runs cannot know whether it still sees their
 * change, so they wait for the next one, and all of them share it.
 */
export function shareRuns(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  function begin(): Promise<void> {
    next = undefined;
    running = run().finally(() => {
      // Those who wait for the next one begin it themselves.
      if (!next) running = undefined;
    });
    return running;
  }

  return () => {
    if (!running) return begin();
    next ??= running.then(begin, begin);
    return next;
  };
}

/** The same work, but whoever gives up need not wait for what goes on for the others. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    const end = () => signal.removeEventListener('abort', giveUp);
    work.then(resolve, reject).finally(end);
  });
}
