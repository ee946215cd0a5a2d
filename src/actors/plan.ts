import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';

import type { ActorEvent } from './address.ts';
import type { ArmedTimer, Effect, StoredSnapshot } from './store.ts';
import type { Action } from './transition.ts';

export interface Plan {
  readonly snapshot: StoredSnapshot;
  readonly effects: readonly Effect[];
  readonly arms: readonly ArmedTimer[];
  readonly cancels: readonly string[];
}

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
  id: string,
  version: number,
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
    snapshot: { value: next.value, context: next.context, status: next.status },
    effects,
    arms: [...arms.values()],
    cancels: [...cancels],
  };
}

/**
 * Always from the stored form, also when a live snapshot is at hand: the order of effects, and
 * with it their keys, would otherwise depend on how the snapshot came about.
 */
export function restore(machine: AnyStateMachine, stored: StoredSnapshot): AnyMachineSnapshot {
  return machine.resolveState({ ...stored, historyValue: {} } as never) as AnyMachineSnapshot;
}
