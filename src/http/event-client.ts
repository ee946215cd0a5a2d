import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

import type { Principal } from './auth/principal.ts';

/** What somebody may see, and wants to. null: everybody's, or all servers. */
export interface Scope {
  readonly customerId: string | null;
  readonly vmid: number | null;
}

/** A client who does not take what was written for him in this time has stopped reading. */
const DRAIN_MAX_MS = 30_000;
/** What is left to say may take this long when the stream ends. */
const END_MAX_MS = 1_000;

/** One open stream. */
export interface EventClient {
  readonly scope: Scope;
  /** As he was when the stream was opened. */
  readonly principal: Principal;
  /** The last journal entry that it has been told of, or need not be. */
  cursor: number;
  isGone(): boolean;
  /** Never waits. A client who has left more than `bufferMax` of what went before is cut off. */
  write(chunk: string | Buffer): void;
  /** Resolves when what was written is on its way, or the client is gone. */
  drained(): Promise<void>;
  /** The client comes back with the id of the last event. */
  end(): void;
  onGone(listener: () => void): void;
}

export interface EventClientOptions {
  readonly scope: Scope;
  readonly principal: Principal;
  readonly cursor: number;
  readonly response: ServerResponse;
  readonly bufferMax: number;
}

export function createEventClient(options: EventClientOptions): EventClient {
  const { scope, principal, cursor, response, bufferMax } = options;
  const isGone = () => response.destroyed || response.writableEnded;
  return {
    scope,
    principal,
    cursor,
    isGone,
    write(chunk) {
      if (isGone()) return;
      if (response.writableLength > bufferMax) response.destroy();
      else response.write(chunk);
    },
    async drained() {
      if (!response.writableNeedDrain || isGone()) return;
      const over = new AbortController();
      const signal = AbortSignal.any([over.signal, AbortSignal.timeout(DRAIN_MAX_MS)]);
      const stop = () => over.abort();
      response.once('close', stop);
      await once(response, 'drain', { signal }).catch(() => response.destroy());
      response.off('close', stop);
    },
    end() {
      if (isGone()) return;
      response.end();
      // Whoever does not read would keep this node from ending.
      setTimeout(() => response.destroy(), END_MAX_MS).unref();
    },
    onGone: (listener) => void response.once('close', listener),
  };
}
