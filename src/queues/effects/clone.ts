import { setTimeout as delay } from 'node:timers/promises';

import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { failedBecause } from '../../clients/proxmox/failure.ts';
import type { CloneContainer } from '../../clients/proxmox/operations.ts';
import type { Upid } from '../../clients/proxmox/upid.ts';
import { UpstreamError } from '../../errors.ts';
import { markerOf } from '../../machines/instance/marker.ts';
import { findContainer } from './container.ts';
import type { Perform } from './performer.ts';
import { createTaskFollower, ignoring } from './task-follower.ts';
import { createTurns } from './turns.ts';

export interface CloneOptions {
  readonly proxmox: ProxmoxClient;
  readonly templateVmid: number;
  readonly pollMs: number;
}

/**
 * Clones the template, or finds out that an earlier attempt has done so. Proxmox locks
 * a template while it is cloned, so the clones of this process queue here instead of at its door.
 */
export function createClone(options: CloneOptions): Perform<'container.clone'> {
  const { proxmox, templateVmid, pollMs } = options;
  const tasks = createTaskFollower(proxmox, pollMs);
  const inTurn = createTurns();

  async function requireTemplate() {
    const template = await proxmox.findContainer(templateVmid);
    if (template) return template;
    throw new UpstreamError(`the template ${templateVmid} does not exist`, {
      reason: 'template_missing',
      retryable: false,
    });
  }

  /** Another node of ours, or somebody by hand, is cloning the template: its lock will go. */
  async function startClone(clone: CloneContainer, signal: AbortSignal): Promise<Upid> {
    for (;;) {
      signal.throwIfAborted();
      try {
        return await proxmox.cloneContainer(clone);
      } catch (error) {
        if (!failedBecause(error, 'container_locked', 'lock_timeout')) throw error;
        await delay(pollMs, undefined, { signal });
      }
    }
  }

  return async ({ vmid, id, opId, hostname }, performance) => {
    await tasks.attach(performance);
    const { node } = await requireTemplate();
    const look = () => findContainer(proxmox, { vmid, id }, node);
    if (!(await look())) {
      const clone = { node, templateVmid, vmid, hostname, description: markerOf(id) };
      // Taken meanwhile: perhaps by another performance of this very effect. We look again.
      await ignoring('vmid_taken', () =>
        inTurn(node, performance.signal, async () =>
          tasks.follow(opId, await startClone(clone, performance.signal), performance),
        ),
      );
    }
    const found = await tasks.awaitClone(look, templateVmid, performance);
    if (found && !found.isOurs) {
      throw new UpstreamError(`VMID ${vmid} is in use by a container that is not ours`, {
        reason: 'vmid_taken',
        retryable: false,
      });
    }
    if (!found || found.config.lock) {
      throw new UpstreamError(
        found ? `container ${vmid} is locked (${found.config.lock})` : `clone ${vmid} has vanished`,
        { reason: found ? 'container_locked' : 'container_missing', retryable: true },
      );
    }
    return { type: 'container.cloned', opId, node: found.place.node };
  };
}
