import { initialTransition } from 'xstate';

import type { ActorDefinition } from './definition.ts';
import { planRows } from './plan.ts';
import type { Step } from './store.ts';
import type { Action } from './transition.ts';

/** The first step of an actor: the machine's initial state, with what it asks for and waits for. */
export function planBirth(
  { machine, machineVersion, operations }: ActorDefinition,
  { id, input, eventId, at }: { id: string; input: unknown; eventId: string; at: number },
): Step {
  const [state, actions] = initialTransition(machine, input as never);
  return {
    id,
    version: 1,
    machineVersion,
    eventId,
    event: { type: 'instance.created', input, at },
    ...planRows({ id, version: 1, before: null, at }, state, actions as readonly Action[]),
    operations: operations?.(null, state.context) ?? [],
    archives: false,
  };
}
