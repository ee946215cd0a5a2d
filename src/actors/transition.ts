import type { AnyMachineSnapshot, AnyStateMachine, EventObject, SnapshotFrom } from 'xstate';

import type { Action } from './statechart/actions.ts';
import { statechartOf } from './statechart/statechart.ts';

export type { Action };

/** The pure step of a machine: the state after an event, and the actions that it asks for. */
export function createTransition<M extends AnyStateMachine>(machine: M) {
  const { transition } = statechartOf(machine);
  return (
    snapshot: SnapshotFrom<M>,
    event: EventObject,
  ): readonly [SnapshotFrom<M>, readonly Action[]] => {
    const [next, actions] = transition(snapshot as AnyMachineSnapshot, event as never);
    return [next as SnapshotFrom<M>, actions];
  };
}
