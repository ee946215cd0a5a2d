import { type AnyMachineSnapshot, initialTransition } from 'xstate';

import type { ActorDefinition } from './definition.ts';
import { planRows } from './plan.ts';
import type { Step } from './store.ts';
import type { Action } from './transition.ts';

/** The first step of an actor: the machine's initial state, with what it asks for and waits for. */
export function planBirth(
  { machine, machineVersion }: ActorDefinition,
  { id, input, eventId }: { id: string; input: unknown; eventId: string },
): Step & { readonly state: AnyMachineSnapshot } {
  const [state, actions] = initialTransition(machine, input as never);
  return {
    id,
    version: 1,
    machineVersion,
    eventId,
    event: { type: 'instance.created', input },
    ...planRows(id, 1, state, actions as readonly Action[]),
    archives: false,
    state,
  };
}
