import type { Fleet, FleetEntry } from '../../view/fleet.ts';
import type { JournalEntry } from '../../view/journal.ts';
import type { Tail } from '../../view/tail.ts';
import { createFeed, type Drawn, type Feed, type Seen } from './feed.ts';

/** By VMID; null: all of them. */
export type Watched = ReadonlySet<number> | null;

interface Watcher {
  readonly watched: Watched;
  readonly feed: Feed;
  /** Actors that the inspector has met, with what they were last. */
  readonly met: Map<string, Seen>;
}

export interface Watching {
  /** Tells of these instances until it is disposed: of each once, then of its every step. */
  watch(watched: Watched, send: (message: string) => void): Disposable;
}

/**
 * Follows the journal, on which steps of every node are, for as long as somebody watches. Whoever is
 * not watched costs one look into a set for each step, and with no watcher nothing at all.
 */
export function createWatching(options: {
  readonly fleet: Pick<Fleet, 'get' | 'select'>;
  readonly tail: Pick<Tail, 'subscribe'>;
  readonly machine: Drawn;
}): Watching {
  const { fleet, tail, machine } = options;
  const watchers = new Set<Watcher>();
  let unsubscribe: (() => void) | undefined;

  function followed(entries: readonly JournalEntry[]): void {
    for (const entry of entries) {
      for (const watcher of watchers) {
        if (watcher.watched?.has(entry.vmid) !== false) follow(watcher, entry, fleet);
      }
    }
  }

  return {
    watch(watched, send) {
      const watcher: Watcher = { watched, feed: createFeed(machine, send), met: new Map() };
      const known = watched
        ? [...watched].flatMap((vmid) => fleet.get(vmid) ?? [])
        : fleet.select({ customerId: null });
      for (const entry of known) meet(watcher, seenOf(entry));
      watchers.add(watcher);
      unsubscribe ??= tail.subscribe({ followed, restarted() {} });
      return {
        [Symbol.dispose]() {
          watchers.delete(watcher);
          if (watchers.size > 0) return;
          unsubscribe?.();
          unsubscribe = undefined;
        },
      };
    },
  };
}

const seenOf = ({ id, state: { value, context } }: FleetEntry): Seen => ({
  ...{ id, status: 'active', value, context },
});

function meet({ feed, met }: Watcher, seen: Seen): void {
  met.set(seen.id, seen);
  feed.actor(seen);
}

/**
 * The journal has the states of every step; what is remembered beside them is that of the latest,
 * if steps came in quick succession, or after the end that of the last that lived.
 */
function follow(watcher: Watcher, entry: JournalEntry, fleet: Pick<Fleet, 'get'>): void {
  const { id, vmid, type, regions: value } = entry;
  const known = fleet.get(vmid);
  const before = watcher.met.get(id);
  const living = known?.id === id ? seenOf(known) : null;
  const seen: Seen = {
    ...{ id, value, status: living?.status ?? 'done' },
    context: living?.context ?? before?.context ?? {},
  };
  if (before) watcher.met.set(id, seen);
  else meet(watcher, seen);
  watcher.feed.step({ type }, seen);
}
