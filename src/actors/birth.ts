import { initialTransition } from 'xstate';

import type { Address } from './address.ts';
import type { ActorDefinition } from './definition.ts';
import { planRows } from './plan.ts';
import type { Step } from './store.ts';
import type { Action } from './transition.ts';

interface Birth extends Address {
  readonly input: unknown;
  readonly eventId: string;
  readonly at: number;
}

/** The first step of an actor: the machine's initial state, with what it asks for and waits for. */
export function planBirth(
  { machine, machineVersion, operations }: ActorDefinition,
  { kind, id, input, eventId, at }: Birth,
): Step {
  const [state, actions] = initialTransition(machine, input as never);
  return {
    id,
    version: 1,
    machineVersion,
    eventId,
    event: { type: `${kind}.created`, input, at },
    ...planRows({ id, version: 1, before: null, at }, state, actions as readonly Action[]),
    operations: operations?.(null, state.context) ?? [],
    unchanged: [],
    archives: false,
  };
}
