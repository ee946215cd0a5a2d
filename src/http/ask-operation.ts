import type { ActorEvent } from '../actors/address.ts';
import type { ActorSystem, Asked } from '../actors/system.ts';
import type { OperationRecord } from '../machines/instance/operations.ts';
import type { InstanceStore } from '../storage/instance-store.ts';
import type { Operations } from '../storage/operations.ts';
import { fingerprintOf, replayAnswer } from './idempotency.ts';

export type OperationVerb = 'start' | 'stop' | 'restart' | 'publish' | 'unpublish';

export interface OperationRequest<Verb extends OperationVerb = OperationVerb> {
  readonly verb: Verb;
  readonly instanceId: string;
  readonly userId: string;
  readonly idempotencyKey: string | null;
}

export type Operated =
  | {
      readonly outcome: 'accepted';
      readonly operation: OperationRecord;
      readonly isReplay: boolean;
    }
  | { readonly outcome: 'no_change'; readonly operation: OperationRecord };

export type Refused = Extract<Asked, { outcome: 'refused' }>;

export interface AskOperationDependencies {
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly answers: Pick<InstanceStore, 'findAnswer'>;
  readonly operations: Pick<Operations, 'find'>;
  readonly randomId: () => string;
  readonly now: () => number;
}

export interface Wished {
  /** What the wish says beside its name. Asked for only if this is not a repetition. */
  readonly more?: () => Promise<Omit<ActorEvent, 'type'>>;
  readonly toRefusal: (refused: Refused) => Error;
}

export type AskOperation = (request: OperationRequest, wished: Wished) => Promise<Operated>;

/** Nothing had to be done, so nothing was written down: it begins and ends with its answer. */
const nothingToDo = (
  { verb, userId }: OperationRequest,
  id: string,
  at: number,
): OperationRecord => ({
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

/** Asks the actor for something that is an operation: once, however often it is asked for. */
export function createAskOperation(dependencies: AskOperationDependencies): AskOperation {
  const { actors, answers, operations, randomId, now } = dependencies;

  return async (request, { more, toRefusal }) => {
    const { verb, instanceId, userId, idempotencyKey: key } = request;
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
      { ...(await more?.()), type: `${verb}.requested`, operationId, requestedBy: userId },
      keyed
        ? {
            eventId: `key:${fingerprintOf({ userId, key })}`,
            answer: { ...keyed, status: 202, response: { operationId } },
          }
        : {},
    );
    if (asked.outcome === 'refused') {
      if (asked.reason.code !== 'no_change') throw toRefusal(asked);
      return { outcome: 'no_change', operation: nothingToDo(request, operationId, now()) };
    }
    // Of two requests with the same key that come together, one has begun the other's operation.
    const begun = (await operations.find(instanceId, operationId)) ?? (await replay());
    if (!begun) throw new Error(`operation ${operationId} was accepted and is not written down`);
    return { outcome: 'accepted', operation: begun, isReplay: begun.id !== operationId };
  };
}
