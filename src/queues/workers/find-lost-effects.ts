import type { Outbox } from '../../storage/outbox.ts';
import type { Relay } from '../relay.ts';

/** An effect of this age that nobody holds was not enqueued, or its job is lost. */
const LOST_AFTER_MS = 1_500;
const PAGE_MAX = 500;

interface Dependencies {
  readonly outbox: Pick<Outbox, 'listUnheld'>;
  readonly relay: Pick<Relay, 'enqueue'>;
}

/**
 * Enqueues every effect that lies about, page by page: those that wait for their turn must not
 * hide those whose job is lost. A job that exists already is not added again.
 */
export function createLostEffectsSweep({ outbox, relay }: Dependencies) {
  return async (shutdown: AbortSignal): Promise<void> => {
    for (let after = ''; !shutdown.aborted; ) {
      const page = await outbox.listUnheld({ ageMs: LOST_AFTER_MS, limit: PAGE_MAX, after });
      await relay.enqueue(page);
      const last = page.at(-1);
      if (!last || page.length < PAGE_MAX) return;
      after = last.key;
    }
  };
}
