import type { Step, Stored, StoredSnapshot } from '../actors/store.ts';
import type { InstanceState } from '../machines/instance/status.ts';
import type { Fleet, FleetEntry } from './fleet.ts';
import type { FleetRow, FleetRows } from './journal.ts';

/** Brings a stored snapshot up to the machine of today. */
export type Upgrade = (stored: Stored) => StoredSnapshot;

function entryOf(
  { id, vmid, version, createdAt, updatedAt }: Omit<FleetRow, 'machineVersion' | 'snapshot'>,
  snapshot: StoredSnapshot,
): FleetEntry {
  const state = snapshot as unknown as InstanceState;
  const { customerId } = state.context;
  return { id, vmid, version, customerId, state, createdAt, updatedAt, derived: new Map() };
}

export const toEntry = (row: FleetRow, upgrade: Upgrade): FleetEntry => entryOf(row, upgrade(row));

/**
 * A step that this node has just committed: whoever asks it next must read it. What another node
 * has created, and this one has not seen yet, is left for the database to answer.
 */
export function takeStep(fleet: Fleet, step: Step, now: number): void {
  const { id, version, snapshot } = step;
  if (step.archives) {
    fleet.end([{ id, version }]);
    return;
  }
  const { vmid } = (snapshot as unknown as InstanceState).context;
  const updatedAt = new Date(now);
  const known = fleet.get(vmid);
  const createdAt = version === 1 ? updatedAt : known?.id === id ? known.createdAt : null;
  if (createdAt) fleet.take([entryOf({ id, vmid, version, createdAt, updatedAt }, snapshot)]);
}

/** One instance, also if another node has created it a moment ago. */
export type FindEntry = (vmid: number) => Promise<FleetEntry | null>;

export function createFind(options: {
  readonly fleet: Fleet;
  readonly rows: Pick<FleetRows, 'find'>;
  readonly upgrade: Upgrade;
}): FindEntry {
  const { fleet, rows, upgrade } = options;
  return async (vmid) => {
    const known = fleet.get(vmid);
    if (known) return known;
    const row = await rows.find(vmid);
    return row && toEntry(row, upgrade);
  };
}
