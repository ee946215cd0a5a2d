import type { AnyMachineSnapshot } from 'xstate';

import { NotFoundError, UnavailableError } from '../errors.ts';
import type { ActorEvent, Address } from './address.ts';
import type { ObserveCheckpoint } from './checkpoint.ts';
import type { ActorDefinition } from './definition.ts';
import type { Memory, Remembered } from './memory.ts';
import { type Plan, planRows, restore } from './plan.ts';
import type {
  ActorStore,
  CommitOutcome,
  KeyedAnswer,
  OperationRecord,
  Step,
  Stored,
  TimerRef,
} from './store.ts';
import { createTransition } from './transition.ts';
import { listUnchanged } from './unchanged.ts';

/** Steps of one actor that lose the race against other nodes before we give up. */
const ATTEMPTS_MAX = 16;

export interface DeliveryOptions {
  readonly eventId: string;
  readonly fires?: TimerRef;
  readonly completes?: string;
  readonly answer?: KeyedAnswer;
}

export interface Delivered {
  readonly changed: boolean;
  readonly snapshot: AnyMachineSnapshot;
  readonly version: number;
}

interface Dependencies {
  readonly store: ActorStore;
  readonly memory: Memory;
  readonly definitions: Readonly<Record<string, ActorDefinition>>;
  readonly now: () => number;
  readonly commit: (step: Step) => Promise<CommitOutcome>;
  readonly committed: (address: Address, step: Step) => void;
  readonly observe?: ObserveCheckpoint | undefined;
}

type Decision =
  | { readonly before: AnyMachineSnapshot; readonly plan: null }
  | {
      readonly before: AnyMachineSnapshot;
      readonly after: AnyMachineSnapshot;
      readonly event: ActorEvent;
      readonly plan: Plan;
      readonly operations: readonly OperationRecord[];
    };

interface Steppers {
  readonly definitions: Readonly<Record<string, ActorDefinition>>;
  readonly transitions: ReadonlyMap<string, ReturnType<typeof createTransition>>;
  readonly now: () => number;
}

function decide(
  { definitions, transitions, now }: Steppers,
  { kind, id }: Address,
  stored: Stored,
  bare: ActorEvent,
): Decision {
  const definition = definitions[kind];
  const transition = transitions.get(kind);
  if (!definition || !transition) throw new NotFoundError(`no actor of kind ${kind}`);
  const before = restore(definition.machine, stored.snapshot);
  if (before.status !== 'active') return { before, plan: null };
  const at = now();
  const event = { ...bare, at };
  const [after, actions] = transition(before as never, event);
  if (after === before && actions.length === 0) return { before, plan: null };
  return {
    before,
    after,
    event,
    plan: planRows(
      { id, version: stored.version + 1, before: stored.snapshot, at },
      after,
      actions,
    ),
    operations: definition.operations?.(before.context, after.context) ?? [],
  };
}

function toStep(
  stored: Remembered,
  { before, after, event, plan, operations }: Extract<Decision, { plan: Plan }>,
  { eventId, fires, completes, answer }: DeliveryOptions,
): Step {
  return {
    id: stored.id,
    version: stored.version + 1,
    machineVersion: stored.machineVersion,
    eventId,
    event,
    ...plan,
    operations,
    unchanged: stored.isMigrated ? [] : listUnchanged(before.context, after.context),
    archives: after.hasTag('archived'),
    ...(fires && { fires }),
    ...(completes !== undefined && { completes }),
    ...(answer && { answer }),
  };
}

/**
 * Delivery is load, decide, commit. The decision is pure, so a crash before the commit loses
 * nothing and one after it repeats nothing. Of two deliveries that race, one finds its version
 * taken and decides again.
 */
export function createDelivery(dependencies: Dependencies) {
  const { store, memory, definitions, now, commit, committed, observe } = dependencies;
  const transitions = new Map(
    Object.entries(definitions).map(([kind, { machine }]) => [kind, createTransition(machine)]),
  );
  const steppers = { definitions, transitions, now };

  /** The event had been taken before, perhaps by the very commit whose answer we lost. */
  async function taken(address: Address, otherwise: Delivered): Promise<Delivered> {
    const found = await memory.load(address).catch((error: unknown) => {
      if (error instanceof NotFoundError) return null;
      throw error;
    });
    const machine = definitions[address.kind]?.machine;
    if (!found || !machine) return otherwise;
    return { changed: true, snapshot: restore(machine, found.snapshot), version: found.version };
  }

  return async function deliver(
    address: Address,
    event: ActorEvent,
    how: DeliveryOptions,
  ): Promise<Delivered> {
    const recalled = memory.recall(address.id);
    let stored = recalled ?? (await memory.load(address));
    let isFresh = recalled === undefined;
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const decision = decide(steppers, address, stored, event);
      const unchanged = { changed: false, snapshot: decision.before, version: stored.version };
      if (decision.plan === null) {
        // What we recall may be old: nobody is refused, and no fact dropped, on a memory.
        const truth = isFresh ? stored : await memory.load(address);
        if (truth.version === stored.version) return unchanged;
        stored = truth;
      } else {
        const step = toStep(stored, decision, how);
        const next = { changed: true, snapshot: decision.after, version: step.version };
        observe?.('commit.before');
        if ((await commit(step)) === 'committed') {
          observe?.('commit.after');
          if (step.archives) memory.forget(address.id);
          else memory.remember(step);
          committed(address, step);
          return next;
        }
        if (await store.isKnown(address.id, how.eventId)) return taken(address, next);
        if (how.fires && !(await store.isArmed(address.id, how.fires))) return unchanged;
        stored = await memory.load(address);
      }
      isFresh = true;
    }
    throw new UnavailableError(`${address.kind} ${address.id} is too busy`);
  };
}
