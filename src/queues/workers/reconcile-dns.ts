import type { DnsClient, FoundRecord, WantedRecord } from '../../clients/dns-records.ts';
import { canonicalName } from '../../clients/dns-records.ts';
import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { UpstreamError } from '../../errors.ts';
import { readMarker } from '../../machines/instance/marker.ts';
import type { EdgeTargets, PublishedTarget } from '../../storage/edge-targets.ts';
import type { Instances } from '../../storage/instances.ts';
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
  /** `foreign`: our archive does not know its instance either. It is never touched. */
  readonly why: 'archived' | 'unpublished' | 'foreign';
  readonly isRemoved: boolean;
}

/** A record that an instance ought to have. */
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
    /** Why it could not be read. */
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

interface Comparison {
  readonly zone: DnsKind;
  readonly dns: DnsClient;
  readonly rows: ReadonlyMap<string, PublishedTarget>;
  readonly isDryRun: boolean;
  readonly hasContainer: (vmid: number) => boolean | null;
}

const VMID = /^(\d+)-/;
const vmidOf = (instanceId: string): number => Number(VMID.exec(instanceId)?.[1] ?? 0);

/**
 * Three-way: what our rows say is published, what DNS lists with our marker, and what Proxmox
 * has. Without a dry run, what was ours and is wanted by nobody is removed, and an instance whose
 * record is missing is told so, which publishes it again.
 */
export function createDnsReconciliation(dependencies: Dependencies) {
  const { zones, targets, instances, proxmox, tell, now } = dependencies;

  async function findStrays(
    records: readonly FoundRecord[],
    { zone, dns, rows, isDryRun, hasContainer }: Comparison,
  ): Promise<readonly StrayRecord[]> {
    const marked = records.flatMap((record) => {
      const instanceId = readMarker(record.comment);
      return instanceId === null ? [] : [{ record, instanceId }];
    });
    const unowned = marked.filter(({ instanceId }) => !rows.has(instanceId));
    const archived = new Set(
      await instances.filterArchived([...new Set(unowned.map(({ instanceId }) => instanceId))]),
    );
    const strays: StrayRecord[] = [];
    for (const { record, instanceId } of marked) {
      const why = whyStray(rows.get(instanceId), zone, archived.has(instanceId));
      if (why === null) continue;
      const mayRemove = !isDryRun && why !== 'foreign' && isRemovable(record);
      const isRemoved = mayRemove && (await remove(dns, record));
      const { name, type, content } = record;
      const has = hasContainer(vmidOf(instanceId));
      strays.push({ zone, name, type, content, instanceId, hasContainer: has, why, isRemoved });
    }
    return strays;
  }

  async function findMissing(
    records: readonly FoundRecord[],
    { zone, rows, isDryRun, hasContainer }: Comparison,
  ): Promise<readonly MissingRecord[]> {
    const present = new Set(
      records.map(({ name, comment }) => `${canonicalName(name)} ${readMarker(comment)}`),
    );
    const missing: MissingRecord[] = [];
    for (const row of rows.values()) {
      const { id, vmid } = row;
      const spec = row.targets.find(
        (target) => target.spec.kind === zone && target.state === 'published',
      )?.spec;
      if (!spec || !('name' in spec)) continue;
      for (const name of [spec.name, `${spec.service}.${spec.name}`]) {
        if (present.has(`${canonicalName(name)} ${id}`)) continue;
        const message = `${name} is not in DNS any more`;
        if (!isDryRun) await tell(row, { type: 'target.lost', kind: zone, message });
        const has = hasContainer(vmid);
        missing.push({ zone, name, vmid, instanceId: id, hasContainer: has, isTold: !isDryRun });
        break;
      }
    }
    return missing;
  }

  return async ({ isDryRun }: { readonly isDryRun: boolean }): Promise<DnsReport> => {
    const startedAt = now();
    // Rows first, and only those that nobody is at: what changes meanwhile is left alone.
    const before = await targets.listPublished();
    const listed = await proxmox.listContainers().catch((error: unknown) => {
      if (error instanceof UpstreamError) return null;
      throw error;
    });
    const vmids = listed && new Set(listed.map(({ vmid }) => vmid));
    const hasContainer = (vmid: number) => vmids?.has(vmid) ?? null;
    const rows = new Map(before.map((row) => [row.id, row]));
    const report = { zones: [] as DnsReport['zones'][number][], strays: [] as StrayRecord[] };
    const missing: MissingRecord[] = [];
    for (const [zone, dns] of Object.entries(zones) as [DnsKind, DnsClient][]) {
      try {
        const records = await dns.listRecords();
        const comparison = { zone, dns, rows, isDryRun, hasContainer };
        const ours = records.filter(({ comment }) => readMarker(comment) !== null).length;
        report.zones.push({ zone, records: records.length, ours, error: null });
        report.strays.push(...(await findStrays(records, comparison)));
        missing.push(...(await findMissing(records, comparison)));
      } catch (error) {
        if (!(error instanceof UpstreamError)) throw error;
        report.zones.push({ zone, records: 0, ours: 0, error: error.message });
      }
    }
    const checkedAt = new Date(startedAt).toISOString();
    return { checkedAt, tookMs: now() - startedAt, isDryRun, ...report, missing };
  };
}

/** null: it is where it ought to be, or somebody is at it. */
function whyStray(
  row: PublishedTarget | undefined,
  zone: DnsKind,
  isArchived: boolean,
): StrayRecord['why'] | null {
  if (!row) return isArchived ? 'archived' : 'foreign';
  const state = row.targets.find(({ spec }) => spec.kind === zone)?.state ?? 'absent';
  return row.isAtRest && state === 'absent' ? 'unpublished' : null;
}

const isRemovable = ({ type }: FoundRecord) => type === 'A' || type === 'SRV';

async function remove(dns: DnsClient, { name, type, comment }: FoundRecord): Promise<boolean> {
  const which = { name, type: type as WantedRecord['type'], comment: comment ?? '' };
  return (await dns.removeRecords(which)) > 0;
}
