import type { JournalEntry } from './journal.ts';

/** The latest entries of the journal, without a gap. */
export interface Recent {
  add(entries: readonly JournalEntry[]): void;
  /** Those beyond `seq`, up to and with `upTo`; null if some of them are not here any more. */
  between(seq: number, upTo: number): readonly JournalEntry[] | null;
  clear(): void;
}

export function createRecent(sizeMax: number): Recent {
  let entries: JournalEntry[] = [];
  return {
    add(more) {
      entries.push(...more);
      // Not each time: what is cut off in front costs a move of all the others.
      if (entries.length > 2 * sizeMax) entries = entries.slice(-sizeMax);
    },
    between(seq, upTo) {
      const first = entries[0];
      if (seq >= upTo) return [];
      if (!first || seq + 1 < first.seq) return null;
      return entries.slice(seq + 1 - first.seq, upTo + 1 - first.seq);
    },
    clear() {
      entries = [];
    },
  };
}
