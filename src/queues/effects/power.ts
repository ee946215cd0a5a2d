import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { findContainer, requireContainer } from './container.ts';
import type { Performers } from './performer.ts';
import { poll } from './poll.ts';
import { createTaskFollower, ignoring } from './task-follower.ts';

export interface PowerOptions {
  readonly proxmox: ProxmoxClient;
  readonly bridges: { readonly game: string; readonly dev: string };
  readonly pollMs: number;
  readonly addressTimeoutMs: number;
  readonly shutdownTimeoutS: number;
}

type PowerKind = `container.${'configure' | 'start' | 'stop' | 'observe' | 'address'}`;

/** The calls to a container that exists. Each looks first, so that any crash may repeat it. */
export function createPower(options: PowerOptions): Pick<Performers, PowerKind> {
  const { proxmox, bridges, pollMs } = options;
  const tasks = createTaskFollower(proxmox, pollMs);
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

    async 'container.start'({ vmid, id, opId, node }, performance) {
      await tasks.attach(performance);
      const { place } = await requireContainer(proxmox, { vmid, id }, node);
      if ((await proxmox.readStatus(place))?.status !== 'running') {
        await ignoring('already_running', async () =>
          tasks.follow(opId, await proxmox.startContainer(place), performance),
        );
      }
      return { type: 'container.started', opId };
    },

    async 'container.stop'({ vmid, id, opId, node }, performance) {
      await tasks.attach(performance);
      const { place } = await requireContainer(proxmox, { vmid, id }, node);
      if ((await proxmox.readStatus(place))?.status !== 'stopped') {
        const shutdown = { ...place, timeoutS: options.shutdownTimeoutS, forceStop: true };
        await ignoring('not_running', async () =>
          tasks.follow(opId, await proxmox.shutdownContainer(shutdown), performance),
        );
      }
      return { type: 'container.stopped', opId };
    },

    async 'container.observe'({ vmid, id, opId, node }) {
      const found = await findContainer(proxmox, { vmid, id }, node);
      const status = found?.isOurs ? await proxmox.readStatus(found.place) : null;
      return {
        type: 'host.observed',
        power: status?.status ?? 'absent',
        node: found?.place.node ?? null,
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
