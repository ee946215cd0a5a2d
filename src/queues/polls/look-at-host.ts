import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { failedBecause } from '../../clients/proxmox/failure.ts';
import type { ContainerResource } from '../../clients/proxmox/reads.ts';
import { readMarker } from '../../machines/instance/marker.ts';
import type { HostTarget } from '../../storage/poll-targets.ts';
import { ABSENT, type HostSighting, isNews, listedAs } from './host-news.ts';
import { createSlots, type Slots } from './slots.ts';
import type { Tell } from './tell.ts';

type Listed = ContainerResource | undefined;

/** The client has a limited number of connections, and effects need them too. */
const LOOKS_MAX = 9;
const LOOKS_PER_NODE_MAX = 3;

export interface HostLooks {
  /**
   * Looks at one container, unless somebody still does, and tells its instance what has changed.
   * `silent`: nodes that did not answer in this sweep; whoever finds out spares the others.
   */
  look(
    subject: { readonly target: HostTarget; readonly listed: Listed },
    silent: Set<string>,
    shutdown: AbortSignal,
  ): Promise<void>;
}

/**
 * Asks a container's own node, because the cluster's list is some seconds old: it still shows
 * what has just been started as stopped, and what has just been cloned as unknown or not at all.
 */
export function createHostLooks({
  proxmox,
  tell,
}: {
  readonly proxmox: Pick<ProxmoxClient, 'readConfig' | 'readStatus' | 'listAddresses'>;
  readonly tell: Tell;
}): HostLooks {
  const room = createSlots(LOOKS_MAX);
  const roomOfNodes = new Map<string, Slots>();
  const under = new Set<number>();

  async function sight(
    target: HostTarget,
    listed: Listed,
    silent: Set<string>,
  ): Promise<HostSighting | null> {
    const node = listed?.node ?? target.node;
    if (node === null) return null;
    const isListedUnknown = listed?.status === 'unknown';
    if (silent.has(node)) return isListedUnknown ? listedAs(listed) : null;
    try {
      return await askNode(proxmox, { target, listed, node });
    } catch (error) {
      // Proxmox answers, and the node that it asks does not: then its list is right.
      if (!failedBecause(error, 'node_unreachable', 'timed_out')) throw error;
      silent.add(node);
      if (!isListedUnknown) throw error;
      return listedAs(listed);
    }
  }

  /** By DHCP it comes some moments after the start; until then a sweep finds none. */
  async function tellAddress(target: HostTarget, node: string): Promise<void> {
    const [ip] = await proxmox.listAddresses({ node, vmid: target.vmid });
    if (ip !== undefined) await tell(target, { type: 'address.found', opId: null, ip });
  }

  return {
    async look({ target, listed }, silent, shutdown) {
      const node = listed?.node ?? target.node ?? '';
      const slots = roomOfNodes.get(node) ?? createSlots(LOOKS_PER_NODE_MAX);
      roomOfNodes.set(node, slots);
      if (under.has(target.vmid)) return;
      under.add(target.vmid);
      await slots.take();
      await room.take();
      try {
        if (shutdown.aborted) return;
        const seen = await sight(target, listed, silent);
        if (shutdown.aborted || !seen) return;
        if (isNews(target, seen)) {
          await tell(target, { type: 'host.observed', ...seen, opId: null });
        } else if (target.needsAddress && seen.node !== null) {
          await tellAddress(target, seen.node);
        }
      } finally {
        room.give();
        slots.give();
        under.delete(target.vmid);
      }
    },
  };
}

/** Whatever is there without our marker is not ours, so ours is absent. null: that is open. */
async function askNode(
  proxmox: Pick<ProxmoxClient, 'readConfig' | 'readStatus'>,
  { target, listed, node }: { target: HostTarget; listed: Listed; node: string },
): Promise<HostSighting | null> {
  const place = { node, vmid: target.vmid };
  const config = await proxmox.readConfig(place);
  // Listed where it is not: it is on its way to another node, and the list will name that one.
  if (!config) return listed ? null : ABSENT;
  if (readMarker(config.description) !== target.id) return ABSENT;
  const status = await proxmox.readStatus(place);
  return status && { power: status.status, node, lock: config.lock };
}
