import { createStore } from '@xstate/store';

import type { InstanceState } from '../machines/instance/status.ts';
import { createIndex, type FleetIndex, type Selection } from './fleet-index.ts';

/** An instance as this node knows it. Never changed, only replaced by that of a later version. */
export interface FleetEntry {
  readonly id: string;
  readonly vmid: number;
  readonly version: number;
  readonly customerId: string;
  readonly state: InstanceState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** What has been made of it, by whoever made it: it goes when the entry is replaced. */
  readonly derived: Map<string, unknown>;
}

/** The end of an instance. */
export interface FleetEnd {
  readonly id: string;
  readonly version: number;
}

/** The dates of a version as the database has them; those of its own commit a node only guesses. */
export interface FleetDate {
  readonly id: string;
  readonly version: number;
  readonly at: Date;
}

/** Every instance that lives, in memory. Never used to decide: what it says may be a moment old. */
export interface Fleet {
  get(vmid: number): FleetEntry | undefined;
  /** By VMID. */
  select(selection: Selection): FleetEntry[];
  /** 0: unknown. Also of an instance that has ended lately. */
  versionOf(id: string): number;
  /** How many changes there have been. */
  revision(): number;
  /** Older versions than what is known change nothing, and what has ended stays so. */
  take(entries: readonly FleetEntry[]): void;
  end(ends: readonly FleetEnd[]): void;
  date(dates: readonly FleetDate[]): void;
  /** Forgets everything else. */
  replace(entries: readonly FleetEntry[]): void;
  subscribe(listener: () => void): () => void;
}

interface FleetContext {
  readonly index: FleetIndex;
  readonly revision: number;
}

/**
 * An @xstate/store whose context holds one index that is changed in place: copying ten thousand
 * entries for each change would cost a millisecond each time. What makes a change visible to
 * selectors and subscribers is the revision, which every change raises.
 */
export function createFleet(): Fleet {
  const raise = ({ index, revision }: FleetContext): FleetContext => ({
    index,
    revision: revision + 1,
  });
  const store = createStore({
    context: { index: createIndex(), revision: 0 } as FleetContext,
    on: {
      'entries.seen': (context, { entries }: { entries: readonly FleetEntry[] }) => {
        for (const entry of entries) context.index.put(entry);
        return raise(context);
      },
      'entries.ended': (context, { ends }: { ends: readonly FleetEnd[] }) => {
        for (const end of ends) context.index.end(end);
        return raise(context);
      },
      'entries.dated': (context, { dates }: { dates: readonly FleetDate[] }) => {
        for (const date of dates) context.index.date(date);
        return raise(context);
      },
      'fleet.replaced': (context, { entries }: { entries: readonly FleetEntry[] }) => {
        const index = createIndex();
        for (const entry of entries) index.put(entry);
        return raise({ ...context, index });
      },
    },
  });
  const read = () => store.getSnapshot().context;
  return {
    get: (vmid) => read().index.get(vmid),
    select: (selection) => read().index.select(selection),
    versionOf: (id) => read().index.versionOf(id),
    revision: () => read().revision,
    take: (entries) => store.send({ type: 'entries.seen', entries }),
    end: (ends) => store.send({ type: 'entries.ended', ends }),
    date: (dates) => store.send({ type: 'entries.dated', dates }),
    replace: (entries) => store.send({ type: 'fleet.replaced', entries }),
    subscribe(listener) {
      const { unsubscribe } = store.subscribe(() => listener());
      return unsubscribe;
    },
  };
}
