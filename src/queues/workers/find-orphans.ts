import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import type { ContainerResource, Place } from '../../clients/proxmox/reads.ts';
import { UpstreamError } from '../../errors.ts';
import { readMarker } from '../../machines/instance/marker.ts';
import type { Debts } from '../../storage/debts.ts';
import type { Instances } from '../../storage/instances.ts';
import type { StrayContainer } from '../../storage/reconcile-report.ts';
import type { VmidRange } from '../../storage/vmids.ts';

export interface OrphanDependencies {
  readonly proxmox: Pick<ProxmoxClient, 'readConfig'>;
  readonly instances: Pick<Instances, 'listVmids' | 'filterArchived'>;
  readonly debts: Pick<Debts, 'owe'>;
  readonly ranges: readonly VmidRange[];
}

/**
 * Compares the cluster with our rows: a container of ours whose instance has gone into the
 * archive is owed. None should exist; but a node that slept between looking and cloning, say,
 * wakes up and clones. What our own archive does not know is named and never touched: another
 * installation may share the cluster.
 */
export function createOrphanFinder({ proxmox, instances, debts, ranges }: OrphanDependencies) {
  /** undefined: its node does not answer, which is no reason to leave the others alone. */
  async function readConfig(place: Place) {
    try {
      return await proxmox.readConfig(place);
    } catch (error) {
      if (error instanceof UpstreamError) return undefined;
      throw error;
    }
  }

  return async (
    listed: readonly ContainerResource[],
    shutdown: AbortSignal,
  ): Promise<readonly StrayContainer[]> => {
    // Read after the list: whatever was cloned for a living instance is known to live.
    const alive = new Set(await instances.listVmids());
    const strangers = listed.filter(
      ({ vmid, template }) =>
        !template && !alive.has(vmid) && ranges.some(({ min, max }) => vmid >= min && vmid <= max),
    );
    const looked: Omit<StrayContainer, 'belongsTo' | 'isOwed'>[] = [];
    for (const { node, vmid, name } of strangers) {
      shutdown.throwIfAborted();
      const config = await readConfig({ node, vmid });
      // Gone since it was listed.
      if (config === null) continue;
      const marker = readMarker(config?.description ?? null);
      looked.push({ node, vmid, name, marker, isMarkerKnown: config !== undefined });
    }
    const markers = looked.flatMap(({ marker }) => marker ?? []);
    const archived = new Set(await instances.filterArchived(markers));
    const strays: StrayContainer[] = [];
    for (const one of looked) {
      const { vmid, marker: instanceId } = one;
      const isOurs = instanceId !== null && archived.has(instanceId);
      if (isOurs) {
        const why = {
          kind: 'container',
          subject: null,
          code: 'orphan',
          message: 'found on Proxmox after its instance was deleted',
        };
        await debts.owe({ instanceId, vmid, ...why });
      }
      strays.push({ ...one, belongsTo: isOurs ? instanceId : null, isOwed: isOurs });
    }
    return strays;
  };
}
