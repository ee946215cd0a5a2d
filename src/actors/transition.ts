import { type AnyStateMachine, createActor, type EventObject, type SnapshotFrom } from 'xstate';

export interface Action {
  readonly type: string;
  readonly params?: unknown;
}

/**
 * XState's own `transition()` builds a throw-away actor, and with it the machine's initial
 * snapshot, on every call; this keeps one inert actor and calls the machine's public method
 * with it, which is 2.6 times cheaper. tests/machines/equality.test.ts proves on every reachable
 * state that both answer the same. Only for machines without invoked or spawned actors.
 */
export function createTransition<M extends AnyStateMachine>(machine: M) {
  const inert = createActor(machine, { input: {} as never });
  const scope = {
    self: inert,
    id: '',
    sessionId: '',
    system: inert.system,
    logger: () => {},
    defer: () => {},
    stopChild: () => {},
    emit: () => {},
  };
  return (
    snapshot: SnapshotFrom<M>,
    event: EventObject,
  ): readonly [SnapshotFrom<M>, readonly Action[]] => {
    const actions: Action[] = [];
    const actionExecutor = (action: Action) => void actions.push(action);
    const next = machine.transition(snapshot, event, { ...scope, actionExecutor } as never);
    return [next as SnapshotFrom<M>, actions];
  };
}
