import type { KeyedAnswer } from '../actors/store.ts';
import type { ActorSystem, Asked } from '../actors/system.ts';
import { ConflictError, ControlPlaneError } from '../errors.ts';
import type { OperationRecord } from '../machines/instance/operations.ts';
import type { InstanceContext } from '../machines/instance/types.ts';
import type { InstanceStore } from '../storage/instance-store.ts';
import type { Operations } from '../storage/operations.ts';
import { fingerprintOf, keyReused, replayAnswer } from './idempotency.ts';
import { hostStatusUrlOf, viewRecord } from './operation-view.ts';
import { toRefusal } from './refusal.ts';

export type PowerVerb = 'start' | 'stop' | 'restart';

export interface PowerRequest {
  readonly verb: PowerVerb;
  readonly instanceId: string;
  readonly vmid: number;
  readonly userId: string;
  readonly idempotencyKey: string | null;
}

export interface Powered {
  readonly outcome: 'accepted' | 'no_change';
  readonly operation: OperationRecord;
  readonly isReplay: boolean;
}

type Keyed = Pick<KeyedAnswer, 'userId' | 'key' | 'fingerprint'>;

/** What is kept under a key. An operation's own steps write its record; no change has no steps. */
type KeptAnswer = { readonly operationId: string } | { readonly noChange: OperationRecord };

export interface HostPowerDependencies {
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly answers: Pick<InstanceStore, 'findAnswer' | 'keepAnswer'>;
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

/**
 * Asks the actor for power. Proxmox is not touched here: whoever performs the effect does that.
 *
 * The answer to an Idempotency-Key is kept with the operation's first step or, if there is nothing
 * to do, by itself. Either way the first one stays: of two requests that come together, whoever
 * finds the key taken answers what is kept.
 */
export function createHostPower(dependencies: HostPowerDependencies) {
  const { actors, answers, operations, randomId, now } = dependencies;

  /** null: this is the first. */
  async function replay({ instanceId }: PowerRequest, keyed: Keyed): Promise<Powered | null> {
    const kept = await replayAnswer<KeptAnswer>(answers, keyed);
    if (!kept) return null;
    if ('noChange' in kept) {
      return { outcome: 'no_change', operation: kept.noChange, isReplay: true };
    }
    const operation = await operations.find(instanceId, kept.operationId);
    return operation && { outcome: 'accepted', operation, isReplay: true };
  }

  async function perform(
    request: PowerRequest,
    operationId: string,
    keyed: Keyed | null,
  ): Promise<Powered> {
    const { verb, instanceId, vmid, userId } = request;
    const response: KeptAnswer = { operationId };
    const asked = await actors.ask(
      { kind: 'instance', id: instanceId },
      { type: `${verb}.requested`, operationId, requestedBy: userId },
      keyed
        ? {
            eventId: `key:${fingerprintOf({ userId, key: keyed.key })}`,
            answer: { ...keyed, status: 202, response },
          }
        : {},
    );
    if (asked.outcome === 'accepted') {
      const begun = await operations.find(instanceId, operationId);
      if (begun) return { outcome: 'accepted', operation: begun, isReplay: false };
      // The journal knows a key for longer than its answer is kept.
      if (keyed) throw keyReused();
      throw new Error(`operation ${operationId} was accepted and is not written down`);
    }
    if (asked.reason.code !== 'no_change') throw toPowerRefusal(asked, vmid);
    const noChange = nothingToDo(request, operationId, now());
    if (keyed && !(await answers.keepAnswer({ ...keyed, status: 200, response: { noChange } }))) {
      throw keyReused();
    }
    return { outcome: 'no_change', operation: noChange, isReplay: false };
  }

  return async (request: PowerRequest): Promise<Powered> => {
    const { verb, instanceId, userId, idempotencyKey: key } = request;
    const operationId = `op-${randomId()}`;
    if (key === null) return perform(request, operationId, null);
    const keyed = { userId, key, fingerprint: fingerprintOf({ verb, instanceId }) };
    const before = await replay(request, keyed);
    if (before) return before;
    try {
      return await perform(request, operationId, keyed);
    } catch (error) {
      // The same request may have come at the same time and have been first: it stands in our way.
      const first = error instanceof ControlPlaneError && (await replay(request, keyed));
      if (!first) throw error;
      return first;
    }
  };
}
