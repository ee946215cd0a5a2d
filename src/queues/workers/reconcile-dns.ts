import {
  canonicalName,
  type DnsClient,
  type FoundRecord,
  serviceContent,
  type WantedRecord,
} from '../../clients/dns-records.ts';
import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { UpstreamError } from '../../errors.ts';
import type { Target, TargetOf } from '../../machines/instance/edge-types.ts';
import { markerOf, readMarker } from '../../machines/instance/marker.ts';
import type { EdgeTargets, PublishedTarget } from '../../storage/edge-targets.ts';
import type { Instances } from '../../storage/instances.ts';
import { recordsOf } from '../effects/edge.ts';
import type { Tell } from '../polls/tell.ts';

export type DnsKind = 'internal_dns' | 'public_dns';

/** A record of ours that nobody wants any more. */
export interface StrayRecord {
  readonly zone: DnsKind;
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly instanceId: string;
  /** Whether Proxmox lists a container of its number. */
  readonly hasContainer: boolean | null;
  /**
   * `unpublished`: its instance lives, and has nothing under this name. `foreign`: our archive
   * does not know its instance either. It is never touched.
   */
  readonly why: 'archived' | 'unpublished' | 'foreign';
  readonly isRemoved: boolean;
}

/** A record that an instance ought to have, and has not as it was published. */
export interface MissingRecord {
  readonly zone: DnsKind;
  readonly name: string;
  readonly vmid: number;
  readonly instanceId: string;
  readonly hasContainer: boolean | null;
  readonly isTold: boolean;
}

export interface DnsReport {
  readonly checkedAt: string;
  readonly tookMs: number;
  /** Nothing was changed. */
  readonly isDryRun: boolean;
  readonly zones: readonly {
    readonly zone: DnsKind;
    readonly records: number;
    readonly ours: number;
    /** Why it could not be read, or not be cleared. */
    readonly error: string | null;
  }[];
  readonly strays: readonly StrayRecord[];
  readonly missing: readonly MissingRecord[];
}

interface Dependencies {
  readonly zones: Readonly<Partial<Record<DnsKind, DnsClient>>>;
  readonly targets: Pick<EdgeTargets, 'listPublished'>;
  readonly instances: Pick<Instances, 'filterArchived'>;
  readonly proxmox: Pick<ProxmoxClient, 'listContainers'>;
  readonly tell: Tell;
  readonly now: () => number;
}

interface Order {
  readonly isDryRun: boolean;
  readonly shutdown?: AbortSignal | undefined;
}

interface Comparison extends Order {
  readonly zone: DnsKind;
  readonly dns: DnsClient;
  /** As they were before the zone was listed. */
  readonly rows: ReadonlyMap<string, PublishedTarget>;
  readonly hasContainer: (vmid: number) => boolean | null;
}

interface MarkedRecord {
  readonly record: FoundRecord;
  readonly instanceId: string;
}

interface Findings {
  readonly zone: DnsReport['zones'][number];
  readonly strays: readonly StrayRecord[];
  readonly missing: readonly MissingRecord[];
}

const VMID = /^(\d+)-/;
const vmidOf = (instanceId: string): number => Number(VMID.exec(instanceId)?.[1] ?? 0);

/**
 * Three-way: what our rows say is published, what DNS lists with our marker, and what Proxmox
 * has. Without a dry run, what was ours and is wanted by nobody is removed, and an instance whose
 * record is missing is told so, which publishes it again.
 *
 * Rows are read, then the zone, then the row in question once more: only what was the same before
 * and after was so when the zone was listed. What changes meanwhile is left to the next comparison,
 * which also finds missing what was published in the very moment that it took to remove it.
 */
export function createDnsReconciliation(dependencies: Dependencies) {
  const { zones, targets, proxmox, now } = dependencies;

  return async ({ isDryRun, shutdown }: Order): Promise<DnsReport> => {
    const startedAt = now();
    const rows = new Map((await targets.listPublished()).map((row) => [row.id, row]));
    const listing = proxmox.listContainers().catch((error: unknown) => {
      if (error instanceof UpstreamError) return null;
      throw error;
    });
    // A zone that hangs delays neither the other nor Proxmox.
    const [listed, ...listings] = await Promise.all([
      listing,
      ...(Object.entries(zones) as [DnsKind, DnsClient][]).map(async ([zone, dns]) => {
        const records = await orError(dns.listRecords({}, { signal: shutdown }));
        return { zone, dns, records };
      }),
    ]);
    const vmids = listed && new Set(listed.map(({ vmid }) => vmid));
    const hasContainer = (vmid: number) => vmids?.has(vmid) ?? null;
    const findings = await Promise.all(
      listings.map(({ records, ...of }) =>
        records instanceof UpstreamError
          ? unread(of.zone, records)
          : compare(dependencies, records, { ...of, rows, isDryRun, shutdown, hasContainer }),
      ),
    );
    return {
      checkedAt: new Date(startedAt).toISOString(),
      tookMs: now() - startedAt,
      isDryRun,
      zones: findings.map(({ zone }) => zone),
      strays: findings.flatMap(({ strays }) => strays),
      missing: findings.flatMap(({ missing }) => missing),
    };
  };
}

const orError = <Value>(call: Promise<Value>): Promise<Value | UpstreamError> =>
  call.catch((error: unknown) => {
    if (error instanceof UpstreamError) return error;
    throw error;
  });

const unread = (zone: DnsKind, error: UpstreamError): Findings => ({
  zone: { zone, records: 0, ours: 0, error: error.message },
  strays: [],
  missing: [],
});

async function compare(
  dependencies: Dependencies,
  records: readonly FoundRecord[],
  comparison: Comparison,
): Promise<Findings> {
  const marked = records.flatMap((record): MarkedRecord[] => {
    const instanceId = readMarker(record.comment);
    // Only the very marker: a remark of somebody else that begins with it makes nothing ours.
    if (instanceId === null || record.comment !== markerOf(instanceId)) return [];
    return [{ record, instanceId }];
  });
  const { strays, error } = await clearStrays(dependencies, marked, comparison);
  const missing = await findMissing(dependencies, marked, comparison);
  const counts = { records: records.length, ours: marked.length };
  return { zone: { zone: comparison.zone, ...counts, error }, strays, missing };
}

async function clearStrays(
  dependencies: Dependencies,
  marked: readonly MarkedRecord[],
  { zone, dns, rows, isDryRun, shutdown, hasContainer }: Comparison,
): Promise<{ readonly strays: readonly StrayRecord[]; readonly error: string | null }> {
  const { targets, instances } = dependencies;
  const unowned = [...new Set(marked.map(({ instanceId }) => instanceId))].filter(
    (id) => !rows.has(id),
  );
  // The living first: who is in the archive by then was in neither only if it was never ours.
  const born = new Set((await targets.listPublished(unowned)).map(({ id }) => id));
  const archived = new Set(await instances.filterArchived(unowned));
  const strays: StrayRecord[] = [];
  let error: string | null = null;
  for (const { record, instanceId } of marked) {
    if (born.has(instanceId)) continue;
    const row = rows.get(instanceId);
    if (row && (isWanted(row, zone, record) || !(await readAgain(targets, row, zone)))) continue;
    const whyGone = archived.has(instanceId) ? 'archived' : 'foreign';
    const why = row ? 'unpublished' : whyGone;
    const { name, type, content } = record;
    let isRemoved = false;
    // A server that refuses or does not answer is not asked again in this round.
    if (!isDryRun && why !== 'foreign' && isRemovable(record) && error === null) {
      const removed = await orError(remove(dns, record, shutdown));
      if (removed instanceof UpstreamError) error = removed.message;
      else isRemoved = removed > 0;
    }
    const has = hasContainer(vmidOf(instanceId));
    strays.push({ zone, name, type, content, instanceId, hasContainer: has, why, isRemoved });
  }
  return { strays, error };
}

async function findMissing(
  { targets, tell }: Dependencies,
  marked: readonly MarkedRecord[],
  { zone, rows, isDryRun, shutdown, hasContainer }: Comparison,
): Promise<readonly MissingRecord[]> {
  const present = Map.groupBy(marked, ({ record, instanceId }) => placeOf(record, instanceId));
  const missing: MissingRecord[] = [];
  for (const row of rows.values()) {
    const { id, vmid } = row;
    const target = targetIn(row, zone);
    if (target?.state !== 'published') continue;
    // One that differs, or that is there beside the right one, leads players astray.
    const lost = Object.values(recordsOf(id, target.spec)).find((wanted) => {
      const [found, ...others] = present.get(placeOf(wanted, id)) ?? [];
      return !found || others.length > 0 || !isRight(found.record, wanted);
    });
    if (!lost) continue;
    shutdown?.throwIfAborted();
    const now = await readAgain(targets, row, zone);
    if (!now) continue;
    const { name } = lost;
    const message = `${name} is not in DNS as it was published`;
    if (!isDryRun) await tell(now, { type: 'target.lost', kind: zone, message });
    const has = hasContainer(vmid);
    missing.push({ zone, name, vmid, instanceId: id, hasContainer: has, isTold: !isDryRun });
  }
  return missing;
}

type DnsTarget = Target & { readonly spec: TargetOf<DnsKind> };

const targetIn = ({ targets }: PublishedTarget, zone: DnsKind): DnsTarget | undefined =>
  targets.find((target): target is DnsTarget => target.spec.kind === zone);

/** The row as it is now; undefined if the target has changed since, or the instance is gone. */
async function readAgain(
  targets: Dependencies['targets'],
  row: PublishedTarget,
  zone: DnsKind,
): Promise<PublishedTarget | undefined> {
  const [now] = await targets.listPublished([row.id]);
  if (!now) return undefined;
  const [before, after] = [targetIn(row, zone), targetIn(now, zone)];
  // An instance that much is reported of has steps all the time; those leave its targets alone.
  const isSame = before?.state === after?.state && before?.since === after?.since;
  return now.version === row.version || (before && isSame) ? now : undefined;
}

/** Also what a call may be about, or may have left, is the machine's to decide. */
function isWanted(row: PublishedTarget, zone: DnsKind, { name, type }: FoundRecord): boolean {
  const target = targetIn(row, zone);
  if (!target || target.state === 'absent') return false;
  if (target.state !== 'published') return true;
  return Object.values(recordsOf(row.id, target.spec)).some(
    (wanted) => wanted.type === type && canonicalName(wanted.name) === canonicalName(name),
  );
}

const placeOf = ({ type, name }: Pick<FoundRecord, 'type' | 'name'>, instanceId: string) =>
  `${type} ${canonicalName(name)} ${instanceId}`;

const isRight = ({ isPlain, content }: FoundRecord, wanted: WantedRecord): boolean =>
  isPlain && content === (wanted.type === 'A' ? wanted.content : serviceContent(wanted));

const isRemovable = ({ type }: FoundRecord) => type === 'A' || type === 'SRV';

const remove = (dns: DnsClient, record: FoundRecord, signal: AbortSignal | undefined) => {
  const { name, type, comment } = record;
  const which = { name, type: type as WantedRecord['type'], comment: comment ?? '' };
  return dns.removeRecords(which, { signal });
};
