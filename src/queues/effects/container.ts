import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import type { ContainerConfig, Place } from '../../clients/proxmox/reads.ts';
import { UpstreamError } from '../../errors.ts';
import { readMarker } from '../../machines/instance/marker.ts';

export interface Found {
  readonly place: Place;
  readonly config: ContainerConfig;
  readonly isOurs: boolean;
}

/**
 * Looks for a container by its VMID. The cluster's list lags some seconds behind, so `hint`, the
 * node it ought to be on, is asked too.
 */
export async function findContainer(
  proxmox: Pick<ProxmoxClient, 'findContainer' | 'readConfig'>,
  { vmid, id }: { vmid: number; id: string },
  hint?: string | null,
): Promise<Found | null> {
  const asked = new Set<string>();
  for (;;) {
    const listed = (await proxmox.findContainer(vmid))?.node;
    const nodes = new Set([listed, hint].filter((node) => typeof node === 'string'));
    const unasked = nodes.difference(asked);
    for (const node of unasked) {
      asked.add(node);
      const config = await proxmox.readConfig({ node, vmid });
      if (!config) continue;
      return { place: { node, vmid }, config, isOurs: readMarker(config.description) === id };
    }
    // Listed on a node that does not know it: gone, or moved since. Then the list names another.
    if (listed === undefined || !unasked.has(listed)) return null;
  }
}

/** The container of this very instance. Nothing without our marker is ever touched. */
export async function requireContainer(
  proxmox: Pick<ProxmoxClient, 'findContainer' | 'readConfig'>,
  subject: { vmid: number; id: string },
  hint?: string | null,
): Promise<Found> {
  const found = await findContainer(proxmox, subject, hint);
  if (found?.isOurs) return found;
  throw new UpstreamError(
    found
      ? `container ${subject.vmid} on ${found.place.node} is not ours`
      : `container ${subject.vmid} does not exist`,
    { reason: found ? 'container_foreign' : 'container_missing', retryable: false },
  );
}
