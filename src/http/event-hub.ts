import type { Roles } from '../storage/credentials.ts';
import type { Fleet } from '../view/fleet.ts';
import type { JournalEntry, JournalReader } from '../view/journal.ts';
import type { Tail } from '../view/tail.ts';
import { createAudience } from './audience.ts';
import type { EventClient } from './event-client.ts';
import { createReplay, type Replay } from './event-replay.ts';
import type { EventTexts } from './event-texts.ts';
import { createPulse } from './pulse.ts';
import type { ServerTexts } from './server-texts.ts';

export interface EventLimits {
  /** Whoever has missed more entries than this begins anew. */
  readonly behindMax: number;
  /** Bytes that a client may leave unread. */
  readonly bufferMax: number;
  readonly heartbeatMs: number;
  /** How often it is asked whether all who listen still may. */
  readonly recheckMs: number;
  /** Changes of this time are written together. */
  readonly flushMs: number;
}

export const EVENT_LIMITS: EventLimits = {
  behindMax: 10_000,
  bufferMax: 1_048_576,
  heartbeatMs: 15_000,
  recheckMs: 5_000,
  flushMs: 50,
};

export interface EventHubOptions {
  readonly tail: Tail;
  readonly journal: JournalReader;
  readonly fleet: Fleet;
  readonly texts: ServerTexts;
  readonly eventTexts: EventTexts;
  readonly limits: EventLimits;
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  readonly now: () => number;
  readonly closing: AbortSignal;
}

export interface EventHub {
  /** Up to here everything is written to whoever listens. */
  seq(): number;
  /** Tells a client first what he has missed, or all there is, and then what happens. */
  serve(client: EventClient, how: { readonly isNew: boolean }): Promise<void>;
}

/** Servers that are written before we wait for the client to take them. */
const PAGE = 200;

/**
 * Streams to many clients. A client catches up by itself, at the pace at which it reads, up to
 * what has been written to everybody; from then on it is one of those to whom each change is
 * written at the same time, as the same bytes. Nothing is kept for a client but what its socket
 * has not taken yet, and that is limited.
 */
export function createEventHub(options: EventHubOptions): EventHub {
  const { tail, eventTexts, limits, closing } = options;
  const audience = createAudience();
  let replay = createReplay(options);
  const clients = new Set<EventClient>();
  // Only between two events: a client who is catching up may be in the middle of one.
  const pulse = createPulse({ ...options, clients, beat: () => audience.tellAll(':\n\n') });
  let pending: JournalEntry[] = [];
  let seq = tail.seq();
  let flushedAt = Number.NEGATIVE_INFINITY;
  let flushing: NodeJS.Timeout | undefined;
  let flushed = Promise.withResolvers<void>();

  function flush(): void {
    flushing = undefined;
    flushedAt = performance.now();
    audience.tell(pending, eventTexts.change);
    advance();
  }

  function advance(): void {
    pending = [];
    seq = tail.seq();
    flushed.resolve();
    flushed = Promise.withResolvers();
  }

  function enter(client: EventClient): void {
    clients.add(client);
    client.onGone(() => leave(client));
    pulse.start();
  }

  function leave(client: EventClient): void {
    audience.leave(client);
    clients.delete(client);
    if (clients.size === 0) pulse.stop();
  }

  tail.subscribe({
    followed(entries) {
      pending.push(...entries);
      if (audience.isEmpty()) return advance();
      const wait = Math.max(0, flushedAt + limits.flushMs - performance.now());
      flushing ??= setTimeout(flush, wait);
    },
    restarted() {
      clearTimeout(flushing);
      flushing = undefined;
      // What it keeps is of the former journal.
      replay = createReplay(options);
      advance();
      for (const client of clients) client.end();
    },
  });
  closing.addEventListener('abort', () => {
    flushed.resolve();
    for (const client of clients) client.end();
  });

  return {
    seq: () => seq,
    async serve(client, { isNew }) {
      if (closing.aborted) return client.end();
      enter(client);
      if (isNew) await sendSnapshot(client, options);
      while (!client.isGone() && client.cursor !== seq) {
        if (client.cursor > seq) {
          // It has heard of more on another node than this one has written so far.
          tail.wake();
          await flushed.promise;
        } else {
          await sendMissed(client, seq, replay);
        }
      }
      if (!client.isGone()) audience.join(client);
    },
  };
}

async function sendSnapshot(client: EventClient, { fleet, texts }: EventHubOptions): Promise<void> {
  const { customerId, vmid } = client.scope;
  const entries = fleet.select({
    customerId,
    ...(vmid !== null && { afterVmid: vmid - 1, limit: 1, matches: (one) => one.vmid === vmid }),
  });
  client.write(`id: ${client.cursor}\nevent: snapshot\ndata: {"servers":[`);
  for (let from = 0; from < entries.length; from += PAGE) {
    const page = texts.servers(entries.slice(from, from + PAGE));
    client.write(from === 0 ? page : `,${page}`);
    await client.drained();
    if (client.isGone()) return;
  }
  client.write(']}\n\n');
}

/** The next page of what a client has missed. */
async function sendMissed(client: EventClient, upTo: number, replay: Replay): Promise<void> {
  const page = await replay(client.scope, client.cursor, upTo);
  if (!page) return client.end();
  client.cursor = page.until;
  if (page.chunk.length === 0) return;
  client.write(page.chunk);
  await client.drained();
}
