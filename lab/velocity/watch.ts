import { setTimeout as sleep } from 'node:timers/promises';

import { pingMinecraft } from '../agent/minecraft-ping.ts';
import type { Registered } from './registry.ts';

export type PingResult =
  | { readonly ok: true; readonly latencyMs: number }
  | { readonly ok: false; readonly detail: string };

/** Pings servers as long as they are registered. */
export interface Watch {
  /** From the beginning, if it is watched already. */
  begin(server: Registered): void;
  end(server: Registered): void;
  endAll(): void;
  /** When the last ping has come back. */
  settled(): Promise<void>;
}

interface WatchOptions {
  readonly pingMs: number;
  /** Told the first result, and then whenever an answer becomes silence or silence an answer. */
  readonly changed: (server: Registered, result: PingResult) => void;
}

const PING_TIMEOUT_MS = 1_000;

export function createWatch({ pingMs, changed }: WatchOptions): Watch {
  const watched = new Map<string, AbortController>();
  const running = new Set<Promise<void>>();

  async function follow(server: Registered, { signal }: AbortController): Promise<void> {
    let was: boolean | undefined;
    while (!signal.aborted) {
      const result = await ping(server);
      if (signal.aborted) return;
      if (result.ok !== was) changed(server, result);
      was = result.ok;
      await sleep(pingMs, undefined, { signal }).catch(() => undefined);
    }
  }

  function end({ name }: Registered): void {
    watched.get(name.toLowerCase())?.abort();
    watched.delete(name.toLowerCase());
  }

  return {
    begin(server) {
      end(server);
      const stop = new AbortController();
      watched.set(server.name.toLowerCase(), stop);
      const run = follow(server, stop).finally(() => running.delete(run));
      running.add(run);
    },
    end,
    endAll() {
      for (const stop of watched.values()) stop.abort();
      watched.clear();
    },
    async settled() {
      await Promise.all(running);
    },
  };
}

async function ping({ address: host, port }: Registered): Promise<PingResult> {
  const startMs = performance.now();
  try {
    await pingMinecraft({ host, port, timeoutMs: PING_TIMEOUT_MS });
    return { ok: true, latencyMs: Math.round(performance.now() - startMs) };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}
