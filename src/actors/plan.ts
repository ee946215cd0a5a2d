import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';

import type { ActorEvent } from './address.ts';
import { statechartOf } from './statechart/statechart.ts';
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
  readonly delay: number;
  readonly event: ActorEvent;
}

/**
 * Turns the actions of a transition into rows. Only what can be stored is allowed: an action that
 * is a function is a bug of the machine, and refuses the whole transition.
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
      const { id: name, delay, event } = params as RaiseParams;
      const timerId = name ?? event.type;
      arms.set(timerId, { timerId, delayMs: delay, event });
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

/**
 * Always from the stored form, also when a live snapshot is at hand: the order of effects, and
 * with it their keys, would otherwise depend on how the snapshot came about.
 */
export const restore = (
  machine: AnyStateMachine,
  { value, context, status }: StoredSnapshot,
): AnyMachineSnapshot =>
  statechartOf(machine).resolve({ value, context: context as object, status });
