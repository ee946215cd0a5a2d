import type { ChangeFeed } from '../actors/change-feed.ts';
import type { ActorSystem } from '../actors/system.ts';

/** News may be lost; whoever waits looks for himself this often. */
const LOOK_MS = 1_000;

export interface Waiting {
  /** Resolves when `isSettled` says so or the time is up; the answer is that of the last look. */
  until(id: string, isSettled: () => Promise<boolean>, how: WaitOptions): Promise<void>;
}

interface WaitOptions {
  readonly waitS: number;
  readonly signal: AbortSignal;
}

/** Waits for a change of an actor, whichever node makes it. */
export function createWaiting({
  actors,
  feed,
  closing,
}: {
  readonly actors: Pick<ActorSystem, 'onCommitted'>;
  readonly feed: Pick<ChangeFeed, 'subscribe'>;
  /** Aborted when this node ends: then nobody waits any longer. */
  readonly closing: AbortSignal;
}): Waiting {
  return {
    async until(id, isSettled, { waitS, signal }) {
      if (waitS === 0) return;
      const over = AbortSignal.any([signal, closing, AbortSignal.timeout(waitS * 1000)]);
      let wake: () => void = () => {};
      const ring = (changed: string) => {
        if (changed === id) wake();
      };
      const stops = [
        actors.onCommitted(({ address }) => ring(address.id)),
        feed.subscribe((change) => ring(change.id)),
      ];
      const ringNow = () => wake();
      over.addEventListener('abort', ringNow);
      const timer = setInterval(ringNow, LOOK_MS);
      try {
        for (;;) {
          const { promise, resolve } = Promise.withResolvers<void>();
          wake = resolve;
          if (over.aborted || (await isSettled())) return;
          await promise;
        }
      } finally {
        clearInterval(timer);
        over.removeEventListener('abort', ringNow);
        for (const stop of stops) stop();
      }
    },
  };
}
