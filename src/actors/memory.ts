import { LRUCache } from 'lru-cache';

import { ConflictError, NotFoundError, UnavailableError } from '../errors.ts';
import type { Address } from './address.ts';
import type { ActorDefinition } from './definition.ts';
import { createGroup } from './group.ts';
import type { ActorStore, Stored, StoredSnapshot } from './store.ts';

export interface Remembered extends Stored {
  /** By a machine version of before, and brought up since: what is stored is not this. */
  readonly isMigrated: boolean;
}

export interface Memory {
  /** What this node remembers: perhaps old, so good for proposing a step, never for refusing. */
  recall(id: string): Remembered | undefined;
  /** What is stored now. Loads of many actors share a query. */
  load(address: Address): Promise<Remembered>;
  remember(stored: Stored): void;
  forget(id: string): void;
}

/** Nothing is resident by necessity: the memory holds `sizeMax` actors at most. */
export function createMemory(
  store: ActorStore,
  definitionOf: (kind: string) => ActorDefinition,
  { sizeMax, batchMax }: { sizeMax: number; batchMax: number },
): Memory {
  const cache = new LRUCache<string, Remembered>({ max: sizeMax });
  const loadTogether = createGroup<string, Stored | undefined>(
    async (ids) => {
      const found = await store.load(ids);
      return ids.map((id) => found.get(id));
    },
    { sizeMax: batchMax, inFlightMax: 2 },
  );
  return {
    recall: (id) => cache.get(id),
    async load({ kind, id }) {
      const stored = await loadTogether(id);
      if (!stored) {
        cache.delete(id);
        throw new NotFoundError(`no ${kind} with id ${id}`);
      }
      const migrated = migrate(definitionOf(kind), stored);
      const isMigrated = migrated.machineVersion !== stored.machineVersion;
      const current = { ...stored, ...migrated, isMigrated };
      cache.set(id, current);
      return current;
    },
    remember: ({ id, version, machineVersion, snapshot }) =>
      void cache.set(id, { id, version, machineVersion, snapshot, isMigrated: false }),
    forget: (id) => void cache.delete(id),
  };
}

/** Brings a stored snapshot up to the version of today, step by step. */
export function migrate(
  { machineVersion, migrations }: ActorDefinition,
  stored: Stored,
): { machineVersion: number; snapshot: StoredSnapshot } {
  let { snapshot } = stored;
  for (let version = stored.machineVersion; version < machineVersion; version += 1) {
    const upgrade = migrations[version];
    if (!upgrade) {
      throw new ConflictError(`${stored.id} is of machine version ${version}, which has no way up`);
    }
    snapshot = upgrade(snapshot);
  }
  if (stored.machineVersion > machineVersion) {
    throw new UnavailableError(`${stored.id} belongs to a newer release`);
  }
  return { machineVersion, snapshot };
}
