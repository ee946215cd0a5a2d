import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from 'xstate';

import type { ActorEvent } from './address.ts';
import type { ArmedTimer, Effect, StoredSnapshot } from './store.ts';
import type { Action } from './transition.ts';

export interface Plan {
  readonly snapshot: StoredSnapshot;
  readonly effects: readonly Effect[];
  readonly arms: readonly ArmedTimer[];
  readonly cancels: readonly string[];
}

export interface PlanSubject {
  readonly id: string;
  /** The version that the step leads to. */
  readonly version: number;
  /** null: there was nothing before. */
  readonly before: StoredSnapshot | null;
  readonly at: number;
}

/** Keeps the date of every region that stays in its state, whatever that does inside. */
function datesOf(before: StoredSnapshot | null, value: unknown, at: number) {
  if (typeof value !== 'object' || value === null) return {};
  const old = (before?.value ?? {}) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(value).map(([region, state]) => {
      const isSame = before !== null && nameOf(old[region]) === nameOf(state);
      return [region, (isSame && before.since[region]) || at];
    }),
  );
}

const nameOf = (state: unknown): unknown =>
  typeof state === 'object' && state !== null ? Object.keys(state)[0] : state;

interface RaiseParams {
  readonly id?: string;
  readonly delay?: number;
  readonly event: ActorEvent;
}

/**
 * Turns the actions of a transition into rows. Only what can be stored is allowed: an action
 * that is a function, a child actor or a delay that the machine does not know is a bug of the
 * machine, and refuses the whole transition.
 */
export function planRows(
  { id, version, before, at }: PlanSubject,
  next: AnyMachineSnapshot,
  actions: readonly Action[],
): Plan {
  const effects: Effect[] = [];
  const arms = new Map<string, ArmedTimer>();
  const cancels = new Set<string>();
  for (const [index, { type, params }] of actions.entries()) {
    if (type === 'effect') {
      const { effect } = params as { effect: { kind: string } };
      effects.push({ key: `${id}/${version}/${index}`, kind: effect.kind, params: effect });
    } else if (type === 'xstate.raise') {
      const raise = params as RaiseParams;
      if (raise.delay !== undefined) {
        const timerId = raise.id ?? raise.event.type;
        arms.set(timerId, { timerId, delayMs: raise.delay, event: raise.event });
      } else if (raise.event.type.startsWith('xstate.after.')) {
        throw new Error(`${raise.event.type} names a delay that the machine does not know`);
      }
      // A raise without a delay has been taken within this step already.
    } else if (type === 'xstate.cancel') {
      const { sendId } = params as { sendId: string };
      arms.delete(sendId);
      cancels.add(sendId);
    } else {
      throw new Error(`action ${type} cannot be made durable`);
    }
  }
  for (const timerId of arms.keys()) cancels.delete(timerId);
  return {
    snapshot: {
      value: next.value,
      context: next.context,
      status: next.status,
      since: datesOf(before, next.value, at),
    },
    effects,
    arms: [...arms.values()],
    cancels: [...cancels],
  };
}

/** Restored states without their context. A machine has few of them, and all its actors share. */
const shapes = new WeakMap<AnyStateMachine, Map<string, AnyMachineSnapshot>>();

/**
 * Always from the stored form, also when a live snapshot is at hand: the order of effects, and
 * with it their keys, would otherwise depend on how the snapshot came about.
 */
export function restore(machine: AnyStateMachine, stored: StoredSnapshot): AnyMachineSnapshot {
  const { value, context, status } = stored;
  const known = shapes.get(machine) ?? new Map<string, AnyMachineSnapshot>();
  shapes.set(machine, known);
  const key = `${status} ${JSON.stringify(value)}`;
  let shape = known.get(key);
  if (!shape) {
    const ordered = inDocumentOrder(machine.root, value);
    shape = machine.resolveState({ value: ordered, status, historyValue: {} } as never);
    known.set(key, shape as AnyMachineSnapshot);
  }
  return { ...shape, context: toQuickCopy(context as object) } as AnyMachineSnapshot;
}

/**
 * XState assigns by `Object.assign({}, context, …)`. Of an object as JSON.parse makes it, V8 makes
 * a hash table then, where each further step costs twenty times as much; of this copy it does not.
 */
const toQuickCopy = (context: object) => ({ ...Object.assign({}, context) });

/** The database keeps the keys of an object in an order of its own, which XState would follow. */
function inDocumentOrder({ states }: AnyStateNode, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value);
  const place = new Map(Object.keys(states).map((name, index) => [name, index]));
  given.sort(([a], [b]) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
  return Object.fromEntries(
    given.map(([name, inner]) => {
      const child = states[name];
      return [name, child ? inDocumentOrder(child, inner) : inner];
    }),
  );
}
