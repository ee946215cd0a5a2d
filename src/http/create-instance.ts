import type { ActorSystem } from '../actors/system.ts';
import { ControlPlaneError, UnavailableError } from '../errors.ts';
import type { InstanceInput } from '../machines/instance/types.ts';
import type { Allowance, InstanceStore } from '../storage/instance-store.ts';
import type { VmidRange, Vmids } from '../storage/vmids.ts';
import type { PlanEdge } from './edge-plan.ts';
import { fingerprintOf, replayAnswer } from './idempotency.ts';
import { type InstanceOrder, toInput } from './instance-order.ts';

/** Numbers of ours that somebody uses by hand on Proxmox, before we give up. */
const PROBES_MAX = 50;

const isBeyond = (error: unknown): boolean =>
  error instanceof ControlPlaneError && error.code === 'plan_limit_reached';

export interface CreateInstanceDependencies {
  readonly actors: Pick<ActorSystem, 'create'>;
  readonly instances: InstanceStore;
  readonly vmids: Vmids;
  /** Does nobody on Proxmox use it? Our own rows cannot know. */
  readonly isVmidFree: (vmid: number) => Promise<boolean>;
  readonly ranges: { readonly game: VmidRange; readonly dev: VmidRange };
  readonly planEdge: PlanEdge;
  /** What a customer may have; null: whatever they want. */
  readonly allowanceOf: (customerId: string) => Promise<Allowance | null>;
  readonly readyDeadlineMs: number;
  readonly restarts: InstanceInput['restarts'];
  readonly now: () => number;
  readonly randomId: () => string;
}

export interface CreateRequest {
  readonly order: InstanceOrder;
  readonly customerId: string;
  readonly requestedBy: string;
  /** By an administrator: whatever the plan of the customer says. */
  readonly isExempt: boolean;
  readonly idempotencyKey: string | null;
}

export interface Created {
  readonly vmid: number;
  readonly id: string;
  readonly operationId: string;
}

/**
 * Reserves a VMID, then writes instance, first journal entry, first effect and the idempotency
 * key in one transaction. A crash in between leaves a reservation, which a sweep releases.
 */
export function createInstanceCreation(dependencies: CreateInstanceDependencies) {
  const { actors, instances, vmids, isVmidFree, ranges, planEdge, now, randomId } = dependencies;
  const { allowanceOf } = dependencies;

  async function reserve(range: VmidRange) {
    for (let probe = 0; probe < PROBES_MAX; probe += 1) {
      const reserved = await vmids.reserve(range, (vmid) => `${vmid}-${randomId()}`);
      const isFree = await isVmidFree(reserved.vmid).catch(async (cause: unknown) => {
        await vmids.release(reserved.id);
        throw new UnavailableError('Proxmox does not say which VMIDs are free', { cause });
      });
      if (isFree) return reserved;
      await vmids.release(reserved.id);
    }
    throw new ControlPlaneError(
      'vmid_range_exhausted',
      `${PROBES_MAX} VMIDs in a row are used by others`,
    );
  }

  return async function create(request: CreateRequest): Promise<Created & { isReplay: boolean }> {
    const { order, customerId, requestedBy, idempotencyKey } = request;
    const idempotent = idempotencyKey !== null && {
      userId: requestedBy,
      key: idempotencyKey,
      fingerprint: fingerprintOf({ ...order, customerId }),
    };
    const before = idempotent && (await replayAnswer<Created>(instances, idempotent));
    if (before) return { ...before, isReplay: true };
    const allowance = request.isExempt ? null : await allowanceOf(customerId);

    const { vmid, id } = await reserve(ranges[order.ctype]);
    const created = { vmid, id, operationId: `op-${randomId()}` };
    const operation = { id: created.operationId, requestedBy };
    const { readyDeadlineMs, restarts } = dependencies;
    const life = { id, vmid, customerId, operation, readyDeadlineMs, restarts, at: now() };
    const ordered = toInput(order, life);
    const plan = await planEdge(id, ordered).catch(async (error: unknown) => {
      await vmids.release(id);
      throw error;
    });
    const input = { ...ordered, plan };
    const outcome = await actors
      .create({ kind: 'instance', id }, input, (step) =>
        instances.create({
          vmid,
          step: idempotent
            ? { ...step, answer: { ...idempotent, status: 202, response: created } }
            : step,
          ...(allowance && {
            allowance: { ...allowance, userId: customerId, wantedMiB: input.payload.memoryMiB },
          }),
        }),
      )
      .catch(async (error: unknown) => {
        if (isBeyond(error)) await vmids.release(id);
        throw error;
      });
    if (outcome === 'created' || !idempotent) return { ...created, isReplay: false };
    await vmids.release(id);
    const first = await replayAnswer<Created>(instances, idempotent);
    if (!first) throw new UnavailableError('the same request is being answered elsewhere');
    return { ...first, isReplay: true };
  };
}
