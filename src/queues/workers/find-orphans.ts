import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { readMarker } from '../../machines/instance/marker.ts';
import type { Debts } from '../../storage/debts.ts';
import type { Instances } from '../../storage/instances.ts';
import type { VmidRange } from '../../storage/vmids.ts';

interface Dependencies {
  readonly proxmox: Pick<ProxmoxClient, 'listContainers' | 'readConfig'>;
  readonly instances: Pick<Instances, 'listVmids' | 'filterArchived'>;
  readonly debts: Pick<Debts, 'owe'>;
  readonly ranges: readonly VmidRange[];
}

/**
 * Compares the cluster with our rows: a container of ours whose instance has gone into the
 * archive is owed. None should exist; but a node that slept between looking and cloning, say,
 * wakes up and clones. What our own archive does not know is never touched: another
 * installation may share the cluster.
 */
export function createOrphanSweep({ proxmox, instances, debts, ranges }: Dependencies) {
  return async (shutdown: AbortSignal): Promise<void> => {
    const listed = await proxmox.listContainers();
    // Read after the list: whatever was cloned for a living instance is known to live.
    const alive = new Set(await instances.listVmids());
    const strangers = listed.filter(
      ({ vmid, template }) =>
        !template && !alive.has(vmid) && ranges.some(({ min, max }) => vmid >= min && vmid <= max),
    );
    const marked: { instanceId: string; vmid: number }[] = [];
    for (const { node, vmid } of strangers) {
      if (shutdown.aborted) return;
      const config = await proxmox.readConfig({ node, vmid });
      const instanceId = readMarker(config?.description ?? null);
      if (instanceId !== null) marked.push({ instanceId, vmid });
    }
    const ours = new Set(await instances.filterArchived(marked.map((one) => one.instanceId)));
    for (const { instanceId, vmid } of marked) {
      if (!ours.has(instanceId)) continue;
      const why = { code: 'orphan', message: 'found on Proxmox after its instance was deleted' };
      await debts.owe({ instanceId, vmid, ...why });
    }
  };
}
