import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { UpstreamError } from '../../errors.ts';
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
  return async ({ vmid, id, opId, node }, performance) => {
    await tasks.attach(performance);
    // A clone that has just begun is on the template's node, and not yet in the cluster's list.
    const template = await proxmox.findContainer(templateVmid);
    const look = () => findContainer(proxmox, { vmid, id }, node ?? template?.node);
    const found = await tasks.awaitClone(look, templateVmid, performance);
    // Somebody else's container under our VMID: of ours nothing is left.
    if (!found?.isOurs) return { type: 'container.destroyed', opId };
    if ((await proxmox.readStatus(found.place))?.status === 'running') {
      await ignoring(['not_running', 'container_missing'], async () =>
        tasks.follow(opId, await proxmox.stopContainer(found.place), performance),
      );
    }
    await ignoring('container_missing', async () => {
      const order = { ...found.place, force: false, purge: true };
      await tasks.follow(opId, await proxmox.destroyContainer(order), performance);
    });
    // Missing where we asked for its end, it may have moved to another node by then.
    if ((await look())?.isOurs) {
      throw new UpstreamError(`container ${vmid} has moved while it was destroyed`, {
        reason: 'container_moved',
        retryable: true,
      });
    }
    return { type: 'container.destroyed', opId };
  };
}
