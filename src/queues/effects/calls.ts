import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { findContainer, requireContainer } from './container.ts';
import type { Performers } from './performer.ts';
import { poll } from './poll.ts';

export interface CallOptions {
  readonly proxmox: ProxmoxClient;
  readonly bridges: { readonly game: string; readonly dev: string };
  readonly pollMs: number;
  readonly addressTimeoutMs: number;
}

type CallKind = `container.${'configure' | 'observe' | 'address'}`;

/** The calls to a container that exists, beside those that power it. Any crash may repeat them. */
export function createCalls(options: CallOptions): Pick<Performers, CallKind> {
  const { proxmox, bridges, pollMs } = options;
  return {
    async 'container.configure'({ vmid, id, opId, node, ctype, cpuCores, memoryMiB }) {
      const { place } = await requireContainer(proxmox, { vmid, id }, node);
      await proxmox.configureContainer({
        ...place,
        cores: cpuCores,
        memoryMiB,
        net0: `name=eth0,bridge=${bridges[ctype]},ip=dhcp`,
      });
      return { type: 'container.configured', opId };
    },

    async 'container.observe'({ vmid, id, opId, node }) {
      const found = await findContainer(proxmox, { vmid, id }, node);
      const status = found?.isOurs ? await proxmox.readStatus(found.place) : null;
      return {
        type: 'host.observed',
        power: status?.status ?? 'absent',
        node: found?.isOurs ? found.place.node : null,
        lock: found?.isOurs ? found.config.lock : null,
        opId,
      };
    },

    async 'container.address'({ vmid, id, opId, node }, { signal }) {
      const { place } = await requireContainer(proxmox, { vmid, id }, node);
      const ip = await poll(async () => (await proxmox.listAddresses(place))[0] ?? null, {
        signal,
        pollMs,
        timeoutMs: options.addressTimeoutMs,
        failure: { reason: 'no_address', message: `container ${vmid} has got no IPv4 address` },
      });
      return { type: 'address.found', opId, ip };
    },
  };
}
