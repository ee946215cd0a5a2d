import { LRUCache } from 'lru-cache';

import type { JournalReader } from '../view/journal.ts';
import type { Tail } from '../view/tail.ts';
import { keyOf, sees } from './audience.ts';
import type { Scope } from './event-client.ts';
import type { EventTexts } from './event-texts.ts';

interface ReplayPage {
  readonly chunk: Buffer;
  /** The last entry that it tells, or leaves out because it is not for this scope. */
  readonly until: number;
}

/** A page of what lies behind `cursor`; null if too much has happened, or is not kept. */
export type Replay = (scope: Scope, cursor: number, upTo: number) => Promise<ReplayPage | null>;

/** Entries that are written before we wait for the client to take them. */
const PAGE = 200;
/** When a node has restarted, all clients come back at once, and most ask for the same pages. */
const KEPT_BYTES = 16 * 1_048_576;

/** From memory, or from the database. Pages begin at the same places for everybody. */
export function createReplay({
  tail,
  journal,
  eventTexts,
  limits,
}: {
  readonly tail: Pick<Tail, 'recent'>;
  readonly journal: JournalReader;
  readonly eventTexts: EventTexts;
  readonly limits: { readonly behindMax: number };
}): Replay {
  const kept = new LRUCache<string, ReplayPage>({
    max: 1_000,
    maxSize: KEPT_BYTES,
    sizeCalculation: ({ chunk }) => chunk.length + 1,
  });

  return async (scope, cursor, upTo) => {
    if (upTo - cursor > limits.behindMax) return null;
    const until = Math.min(upTo, (Math.floor(cursor / PAGE) + 1) * PAGE);
    const key = `${keyOf(scope)} ${cursor} ${until}`;
    const known = kept.get(key);
    if (known) return known;
    const recent = tail.recent.between(cursor, until);
    const entries = recent ?? (await journal.readAfter(cursor, until - cursor));
    if (entries.length < until - cursor) return null;
    const mine = entries.filter((entry) => sees(scope, entry));
    const page = { chunk: Buffer.from(mine.map(eventTexts.change).join('')), until };
    kept.set(key, page);
    return page;
  };
}
