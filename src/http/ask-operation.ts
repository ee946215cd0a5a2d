import type { ActorEvent } from '../actors/address.ts';
import type { KeyedAnswer } from '../actors/store.ts';
import type { ActorSystem, Asked } from '../actors/system.ts';
import { ControlPlaneError } from '../errors.ts';
import type { OperationRecord } from '../machines/instance/operations.ts';
import type { InstanceStore } from '../storage/instance-store.ts';
import type { Operations } from '../storage/operations.ts';
import { fingerprintOf, keyReused, replayAnswer } from './idempotency.ts';

export type OperationVerb =
  | ('retry' | 'start' | 'stop' | 'restart' | 'publish' | 'unpublish')
  | ('backup' | 'restore' | 'verify' | 'backup_deletion');

export interface OperationRequest<Verb extends OperationVerb = OperationVerb> {
  readonly verb: Verb;
  readonly instanceId: string;
  readonly userId: string;
  readonly idempotencyKey: string | null;
  /** What it is about, where the verb does not say. */
  readonly subject?: string;
}

export interface Operated {
  readonly outcome: 'accepted' | 'no_change';
  readonly operation: OperationRecord;
  readonly isReplay: boolean;
}

export type Refused = Extract<Asked, { outcome: 'refused' }>;

export interface AskOperationDependencies {
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly answers: Pick<InstanceStore, 'findAnswer' | 'keepAnswer'>;
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

type Keyed = Pick<KeyedAnswer, 'userId' | 'key' | 'fingerprint'>;

/** What is kept under a key. An operation's own steps write its record; no change has no steps. */
type KeptAnswer = { readonly operationId: string } | { readonly noChange: OperationRecord };

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

/**
 * Asks the actor for something that is an operation: once, however often it is asked for.
 *
 * The answer to an Idempotency-Key is kept with the operation's first step or, if there is nothing
 * to do, by itself. Either way the first one stays: of two requests that come together, whoever
 * finds the key taken answers what is kept.
 */
export function createAskOperation(dependencies: AskOperationDependencies): AskOperation {
  const { actors, answers, operations, randomId, now } = dependencies;

  /** null: this is the first. */
  async function replay({ instanceId }: OperationRequest, keyed: Keyed): Promise<Operated | null> {
    const kept = await replayAnswer<KeptAnswer>(answers, keyed);
    if (!kept) return null;
    if ('noChange' in kept) {
      return { outcome: 'no_change', operation: kept.noChange, isReplay: true };
    }
    const operation = await operations.find(instanceId, kept.operationId);
    return operation && { outcome: 'accepted', operation, isReplay: true };
  }

  async function perform(
    request: OperationRequest,
    { more, toRefusal }: Wished,
    keyed: Keyed | null,
  ): Promise<Operated> {
    const { verb, instanceId, userId } = request;
    const operationId = `op-${randomId()}`;
    const response: KeptAnswer = { operationId };
    const asked = await actors.ask(
      { kind: 'instance', id: instanceId },
      { ...(await more?.()), type: `${verb}.requested`, operationId, requestedBy: userId },
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
    if (asked.reason.code !== 'no_change') throw toRefusal(asked);
    const noChange = nothingToDo(request, operationId, now());
    if (keyed && !(await answers.keepAnswer({ ...keyed, status: 200, response: { noChange } }))) {
      throw keyReused();
    }
    return { outcome: 'no_change', operation: noChange, isReplay: false };
  }

  return async (request, wished) => {
    const { verb, instanceId, userId, idempotencyKey: key, subject } = request;
    if (key === null) return perform(request, wished, null);
    const keyed = { userId, key, fingerprint: fingerprintOf({ verb, instanceId, subject }) };
    const before = await replay(request, keyed);
    if (before) return before;
    try {
      return await perform(request, wished, keyed);
    } catch (error) {
      // The same request may have come at the same time and have been first: it stands in our way.
      const first = error instanceof ControlPlaneError && (await replay(request, keyed));
      if (!first) throw error;
      return first;
    }
  };
}
