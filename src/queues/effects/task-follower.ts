import { setTimeout as delay } from 'node:timers/promises';

import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import { failedBecause } from '../../clients/proxmox/failure.ts';
import { UpstreamError } from '../../errors.ts';
import type { Found } from './container.ts';
import type { Performance } from './performer.ts';

type Tasks = Pick<ProxmoxClient, 'awaitTask' | 'listTasks'>;

/** How effects wait for Proxmox's tasks. */
export function createTaskFollower(proxmox: Tasks, pollMs: number) {
  return {
    /** Waits for a task, and makes it known, so that a successor attaches instead of repeating. */
    async follow(opId: string, upid: string, { signal, progress }: Performance): Promise<void> {
      await progress({ type: 'task.started', opId, upid }, upid);
      await proxmox.awaitTask(upid, { signal, pollMs });
    },

    /**
     * Waits for the task of an earlier attempt. false: Proxmox has forgotten it.
     * @throws UpstreamError if it failed
     */
    async ended(opId: string, upid: string, performance: Performance): Promise<boolean> {
      try {
        await this.follow(opId, upid, performance);
        return true;
      } catch (error) {
        if (failedBecause(error, 'task_missing')) return false;
        throw error;
      }
    },

    /** The task of an earlier attempt may have failed or be forgotten: the world says what is missing. */
    async attach({ upid, signal }: Performance): Promise<void> {
      if (upid === null) return;
      await proxmox.awaitTask(upid, { signal, pollMs }).catch((error: unknown) => {
        if (signal.aborted || !(error instanceof UpstreamError)) throw error;
      });
    },

    /**
     * Waits while a clone is made of the container. A clone's task bears the number of its
     * template, so which of several is ours cannot be told: ours is over when the lock is gone,
     * or when none is running any more.
     */
    async awaitClone(
      look: () => Promise<Found | null>,
      templateVmid: number,
      { signal }: Performance,
    ): Promise<Found | null> {
      for (;;) {
        signal.throwIfAborted();
        const found = await look();
        if (found?.config.lock !== 'create') return found;
        const { node } = found.place;
        const clones = await proxmox.listTasks({ node, vmid: templateVmid, typefilter: 'vzclone' });
        if (clones.every(({ exitstatus }) => exitstatus !== null)) return look();
        await delay(pollMs, undefined, { signal });
      }
    },
  };
}

type Harmless = 'already_running' | 'not_running' | 'container_missing' | 'vmid_taken';

/** For outcomes that are what we wanted, said as an error. */
export async function ignoring(
  reasons: Harmless | readonly Harmless[],
  act: () => Promise<unknown>,
): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!failedBecause(error, ...[reasons].flat())) throw error;
  }
}
