import type { FleetDate, FleetEnd, FleetEntry } from './fleet.ts';

/** So many ends are remembered, against older news of the same instances that arrive late. */
const ENDS_MAX = 10_000;

export interface Selection {
  /** null: everybody's. */
  readonly customerId: string | null;
  readonly afterVmid?: number;
  readonly limit?: number;
  readonly matches?: (entry: FleetEntry) => boolean;
}

export interface FleetIndex {
  get(vmid: number): FleetEntry | undefined;
  select(selection: Selection): FleetEntry[];
  versionOf(id: string): number;
  put(entry: FleetEntry): void;
  end(end: FleetEnd): void;
  date(date: FleetDate): void;
}

/** The place of an instance, the same in every list that has it: a change writes only here. */
interface Slot {
  entry: FleetEntry;
}

/** Slots in the order of their VMIDs, put in order again when somebody reads after a change. */
interface Group {
  readonly slots: Set<Slot>;
  order: readonly Slot[] | null;
}

const createGroup = (): Group => ({ slots: new Set(), order: null });

function add(group: Group, slot: Slot): void {
  group.slots.add(slot);
  group.order = null;
}

function drop(group: Group | undefined, slot: Slot): void {
  if (group?.slots.delete(slot)) group.order = null;
}

function orderOf(group: Group): readonly Slot[] {
  group.order ??= [...group.slots].sort((a, b) => a.entry.vmid - b.entry.vmid);
  return group.order;
}

/** The first place behind this VMID. */
function placeAfter(order: readonly Slot[], vmid: number): number {
  let [from, to] = [0, order.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((order[middle] as Slot).entry.vmid <= vmid) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Instances by id, VMID and customer. A change of one costs the same however many there are. */
export function createIndex(): FleetIndex {
  const byId = new Map<string, Slot>();
  const byVmid = new Map<number, Slot>();
  const byCustomer = new Map<string, Group>();
  const all = createGroup();
  const ends = new Map<string, number>();

  function remove(slot: Slot, version: number): void {
    const { id, vmid, customerId } = slot.entry;
    byId.delete(id);
    if (byVmid.get(vmid) === slot) byVmid.delete(vmid);
    drop(all, slot);
    const group = byCustomer.get(customerId);
    drop(group, slot);
    if (group?.slots.size === 0) byCustomer.delete(customerId);
    remember(id, version);
  }

  function remember(id: string, version: number): void {
    ends.set(id, version);
    if (ends.size <= ENDS_MAX) return;
    for (const oldest of ends.keys()) return void ends.delete(oldest);
  }

  function insert(entry: FleetEntry): void {
    // A VMID is used again only when its former instance is gone: its end is news yet to come.
    const former = byVmid.get(entry.vmid);
    if (former) remove(former, Number.MAX_SAFE_INTEGER);
    const slot = { entry };
    byId.set(entry.id, slot);
    byVmid.set(entry.vmid, slot);
    add(all, slot);
    const group = byCustomer.get(entry.customerId) ?? createGroup();
    byCustomer.set(entry.customerId, group);
    add(group, slot);
  }

  return {
    get: (vmid) => byVmid.get(vmid)?.entry,
    versionOf: (id) => byId.get(id)?.entry.version ?? ends.get(id) ?? 0,
    select({ customerId, afterVmid = 0, limit = Number.POSITIVE_INFINITY, matches }) {
      const group = customerId === null ? all : byCustomer.get(customerId);
      const order = group ? orderOf(group) : [];
      const found: FleetEntry[] = [];
      for (let at = placeAfter(order, afterVmid); at < order.length; at += 1) {
        if (found.length >= limit) break;
        const { entry } = order[at] as Slot;
        if (!matches || matches(entry)) found.push(entry);
      }
      return found;
    },
    put(entry) {
      const slot = byId.get(entry.id);
      if (slot) {
        if (slot.entry.version < entry.version) slot.entry = entry;
      } else if (!ends.has(entry.id)) {
        insert(entry);
      }
    },
    end({ id, version }) {
      const slot = byId.get(id);
      if (slot) remove(slot, version);
      else remember(id, version);
    },
    date({ id, version, at }) {
      const slot = byId.get(id);
      if (slot?.entry.version !== version) return;
      const { entry } = slot;
      const createdAt = version === 1 ? at : entry.createdAt;
      if (+entry.updatedAt === +at && +entry.createdAt === +createdAt) return;
      slot.entry = { ...entry, createdAt, updatedAt: at, derived: new Map() };
    },
  };
}
