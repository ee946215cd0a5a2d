import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { findContainer } from './container.ts';
import type { Perform } from './performer.ts';
import { createTaskFollower, ignoring } from './task-follower.ts';

/** Removes the container, whatever state it is in, and only if it is ours. */
export function createDestroy(options: {
  readonly proxmox: ProxmoxClient;
  readonly templateVmid: number;
  readonly pollMs: number;
}): Perform<'container.destroy'> {
  const { proxmox, templateVmid, pollMs } = options;
  const tasks = createTaskFollower(proxmox, pollMs);
  return async ({ vmid, id, opId }, performance) => {
    await tasks.attach(performance);
    // A clone that has just begun is on the template's node, and not yet in the cluster's list.
    const template = await proxmox.findContainer(templateVmid);
    const look = () => findContainer(proxmox, { vmid, id }, template?.node);
    const found = await tasks.awaitClone(look, templateVmid, performance);
    // Somebody else's container under our VMID: of ours nothing is left.
    if (!found?.isOurs) return { type: 'container.destroyed', opId };
    if ((await proxmox.readStatus(found.place))?.status === 'running') {
      await ignoring('not_running', async () =>
        tasks.follow(opId, await proxmox.stopContainer(found.place), performance),
      );
    }
    await ignoring('container_missing', async () => {
      const order = { ...found.place, force: false, purge: true };
      await tasks.follow(opId, await proxmox.destroyContainer(order), performance);
    });
    return { type: 'container.destroyed', opId };
  };
}
