import type { ActorSystem } from '../actors/system.ts';
import { ConflictError, NotFoundError } from '../errors.ts';
import type { Debts } from '../storage/debts.ts';
import type { Instance, Instances } from '../storage/instances.ts';
import type { Vmids } from '../storage/vmids.ts';
import { maySee, type Principal } from './auth/principal.ts';
import { toRefusal } from './refusal.ts';

/** A container as Proxmox has it. `marker`: the instance it says it belongs to, if any. */
export interface SightedContainer {
  readonly hostname: string | null;
  readonly marker: string | null;
}

export interface DeleteContainerDependencies {
  readonly instances: Instances;
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly debts: Debts;
  readonly vmids: Pick<Vmids, 'release'>;
  readonly sight: (vmid: number) => Promise<SightedContainer | null>;
  /** Something is owed: whoever pays debts may begin at once. */
  readonly collectSoon: () => void;
  readonly randomId: () => string;
}

/** `deleting`: an actor is at it. `owed`: a reconciler is. `gone`: there was nothing left to do. */
export type Deletion =
  | { readonly outcome: 'deleting'; readonly instance: Instance }
  | { readonly outcome: 'owed' | 'gone' };

/**
 * Deletes whatever is behind a VMID: an instance in any state, a container that only Proxmox
 * still knows, or what only our archive knows. Nothing is touched on Proxmox here, and nothing
 * that does not bear our marker is touched at all.
 */
export function createContainerDeletion(dependencies: DeleteContainerDependencies) {
  const { instances, actors, debts, vmids, sight, collectSoon, randomId } = dependencies;

  async function deleteInstance(instance: Instance, principal: Principal, force: boolean) {
    const wish = {
      type: 'delete.requested',
      force,
      operationId: `op-${randomId()}`,
      requestedBy: principal.userId,
    };
    const asked = await actors.ask({ kind: 'instance', id: instance.id }, wish);
    // Whoever asks twice gets the deletion that is running.
    if (asked.outcome === 'refused' && asked.reason.code !== 'deletion_in_progress') {
      throw toRefusal(asked);
    }
  }

  async function deleteRemains(vmid: number, principal: Principal): Promise<Deletion> {
    const archived = (await instances.listArchived(vmid)).filter(({ customerId }) =>
      maySee(principal, customerId),
    );
    const mine = (id: string) =>
      principal.role === 'admin' || archived.some((instance) => instance.id === id);
    const owed = (await debts.listOf(vmid)).find(({ instanceId }) => mine(instanceId));
    if (owed) {
      collectSoon();
      return { outcome: 'owed' };
    }

    const sighted = await sight(vmid);
    if (sighted?.marker && mine(sighted.marker)) {
      const { marker: instanceId } = sighted;
      const why = {
        kind: 'container',
        subject: null,
        code: 'orphan',
        message: 'found on Proxmox without an instance',
      };
      await debts.owe({ instanceId, vmid, ...why });
      collectSoon();
      return { outcome: 'owed' };
    }
    if (sighted && !sighted.marker && principal.role === 'admin') {
      throw new ConflictError(`container ${vmid} on Proxmox is not ours: it has no marker`);
    }
    const [latest] = archived;
    if (!latest) throw new NotFoundError(`there is no container ${vmid}`);
    await vmids.release(latest.id);
    return { outcome: 'gone' };
  }

  return async (vmid: number, principal: Principal, force: boolean): Promise<Deletion> => {
    const instance = await instances.findByVmid(vmid);
    if (!instance) return deleteRemains(vmid, principal);
    if (!maySee(principal, instance.state.context.customerId)) {
      throw new NotFoundError(`there is no container ${vmid}`);
    }
    try {
      await deleteInstance(instance, principal, force);
    } catch (error) {
      // An earlier deletion came to its end between our look and our wish.
      if (error instanceof NotFoundError) return deleteRemains(vmid, principal);
      throw error;
    }
    const after = await instances.findByVmid(vmid);
    return { outcome: 'deleting', instance: after?.id === instance.id ? after : instance };
  };
}
