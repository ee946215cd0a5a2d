import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { UpstreamError } from '../../errors.ts';
import { readMarker } from '../../machines/instance/marker.ts';
import type { ContainerOwner, Leftovers } from '../../storage/leftovers.ts';
import type { BereftRow, ReconcileReport } from '../../storage/reconcile-report.ts';
import { createOrphanFinder, type OrphanDependencies } from './find-orphans.ts';

/** Whoever has more of one kind than this has another problem than their details. */
const LIST_MAX = 500;
/** An effect of this age that nobody performs has been found by many sweeps, to no avail. */
const STUCK_AFTER_MS = 60_000;
/** An effect begun this often ends its workers, or they end without it. */
const STUCK_CLAIMS = 5;
/** The sweep of timers runs each second. */
const OVERDUE_AFTER_MS = 5_000;

interface Dependencies extends OrphanDependencies {
  readonly proxmox: Pick<ProxmoxClient, 'listContainers' | 'readConfig'>;
  readonly leftovers: Leftovers;
  readonly now: () => number;
}

/**
 * Compares what is with what ought to be, and says so. It mends nothing but what `find-orphans`
 * does: a container that bears our marker, of an instance in our archive, becomes a debt.
 */
export function createReconciliation(dependencies: Dependencies) {
  const { proxmox, leftovers, now } = dependencies;
  const findOrphans = createOrphanFinder(dependencies);

  /** The list is some seconds old: the node itself is asked before a container is missed. */
  async function lookAgain(owner: ContainerOwner): Promise<BereftRow | null> {
    const { node, vmid, instanceId } = owner;
    if (node === null) return { ...owner, found: 'nothing' };
    try {
      const config = await proxmox.readConfig({ node, vmid });
      if (!config) return { ...owner, found: 'nothing' };
      return readMarker(config.description) === instanceId ? null : { ...owner, found: 'foreign' };
    } catch (error) {
      if (error instanceof UpstreamError) return { ...owner, found: 'no_answer' };
      throw error;
    }
  }

  /**
   * `before`: as our rows were before the cluster was listed, so that nothing is younger. Of a
   * container with another name than ours we look whether it is ours.
   */
  async function findBereft(
    before: readonly ContainerOwner[],
    listed: ReadonlyMap<number, string | null>,
    shutdown: AbortSignal,
  ): Promise<readonly BereftRow[]> {
    const doubtful = before.filter(({ vmid, hostname }) => listed.get(vmid) !== hostname);
    const bereft: BereftRow[] = [];
    for (const owner of doubtful.slice(0, LIST_MAX)) {
      shutdown.throwIfAborted();
      const row = await lookAgain(owner);
      if (row) bereft.push(row);
    }
    if (bereft.length === 0) return [];
    // Whoever is being deleted by now has lost its container rightly.
    const after = new Set((await leftovers.listOwners()).map(({ instanceId }) => instanceId));
    return bereft.filter(({ instanceId }) => after.has(instanceId));
  }

  return async (shutdown: AbortSignal): Promise<ReconcileReport> => {
    const startedAt = now();
    const before = await leftovers.listOwners();
    const listed = await proxmox.listContainers();
    const containersWithoutRow = await findOrphans(listed, shutdown);
    const names = new Map(listed.map(({ vmid, name }) => [vmid, name]));
    const rowsWithoutContainer = await findBereft(before, names, shutdown);
    const limit = LIST_MAX;
    const [debts, stuckEffects, timersOverdue] = await Promise.all([
      leftovers.listDebts({ limit }),
      leftovers.listStuck({ limit, ageMs: STUCK_AFTER_MS, claims: STUCK_CLAIMS }),
      leftovers.listOverdue({ limit, ageMs: OVERDUE_AFTER_MS }),
    ]);
    return {
      checkedAt: new Date(startedAt).toISOString(),
      tookMs: now() - startedAt,
      containersWithoutRow: containersWithoutRow.slice(0, LIST_MAX),
      rowsWithoutContainer,
      debts,
      stuckEffects,
      timersOverdue,
    };
  };
}
