import type { ActorSystem, Asked } from '../actors/system.ts';
import { ConflictError } from '../errors.ts';
import type { OperationRecord } from '../machines/instance/operations.ts';
import type { InstanceContext } from '../machines/instance/types.ts';
import type { InstanceStore } from '../storage/instance-store.ts';
import type { Operations } from '../storage/operations.ts';
import { fingerprintOf, replayAnswer } from './idempotency.ts';
import { hostStatusUrlOf, viewRecord } from './operation-view.ts';
import { toRefusal } from './routes/servers.ts';

export type PowerVerb = 'start' | 'stop' | 'restart';

export interface PowerRequest {
  readonly verb: PowerVerb;
  readonly instanceId: string;
  readonly vmid: number;
  readonly userId: string;
  readonly idempotencyKey: string | null;
}

export type Powered =
  | {
      readonly outcome: 'accepted';
      readonly operation: OperationRecord;
      readonly isReplay: boolean;
    }
  | { readonly outcome: 'no_change'; readonly operation: OperationRecord };

export interface HostPowerDependencies {
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly answers: Pick<InstanceStore, 'findAnswer'>;
  readonly operations: Pick<Operations, 'find'>;
  readonly randomId: () => string;
  readonly now: () => number;
}

/** Nothing had to be done, so nothing was written down: it begins and ends with its answer. */
const nothingToDo = ({ verb, userId }: PowerRequest, id: string, at: number): OperationRecord => ({
  id,
  kind: verb,
  state: 'succeeded',
  requestedBy: userId,
  acceptedAt: at,
  startedAt: null,
  finishedAt: at,
  deadline: null,
  upid: null,
  step: null,
  error: null,
});

type Refused = Extract<Asked, { outcome: 'refused' }>;

/** With the operation that is in the way, and where to follow it. */
function toPowerRefusal(refused: Refused, vmid: number): ConflictError {
  const { hostOperation } = refused.snapshot.context as InstanceContext;
  const refusal = toRefusal(refused);
  if (refusal.code !== 'host_operation_in_progress' || !hostOperation) return refusal;
  return new ConflictError(refusal.message, {
    code: refusal.code,
    details: {
      ...refusal.details,
      operation: viewRecord(hostOperation),
      statusUrl: hostStatusUrlOf(vmid),
    },
  });
}

/** Asks the actor for power. Proxmox is not touched here: whoever performs the effect does that. */
export function createHostPower(dependencies: HostPowerDependencies) {
  const { actors, answers, operations, randomId, now } = dependencies;

  return async (request: PowerRequest): Promise<Powered> => {
    const { verb, instanceId, vmid, userId, idempotencyKey: key } = request;
    const fingerprint = fingerprintOf({ verb, instanceId });
    const keyed = key !== null && { userId, key, fingerprint };
    const replay = async () => {
      const answer = keyed && (await replayAnswer<{ operationId: string }>(answers, keyed));
      return answer ? operations.find(instanceId, answer.operationId) : null;
    };
    const before = await replay();
    if (before) return { outcome: 'accepted', operation: before, isReplay: true };

    const operationId = `op-${randomId()}`;
    const asked = await actors.ask(
      { kind: 'instance', id: instanceId },
      { type: `${verb}.requested`, operationId, requestedBy: userId },
      keyed
        ? {
            eventId: `key:${fingerprintOf({ userId, key })}`,
            answer: { ...keyed, status: 202, response: { operationId } },
          }
        : {},
    );
    if (asked.outcome === 'refused') {
      if (asked.reason.code !== 'no_change') throw toPowerRefusal(asked, vmid);
      return { outcome: 'no_change', operation: nothingToDo(request, operationId, now()) };
    }
    // Of two requests with the same key that come together, one has begun the other's operation.
    const begun = (await operations.find(instanceId, operationId)) ?? (await replay());
    if (!begun) throw new Error(`operation ${operationId} was accepted and is not written down`);
    return { outcome: 'accepted', operation: begun, isReplay: begun.id !== operationId };
  };
}
