import type { AnyStateMachine } from 'xstate';

import type { ActorEvent } from '../address.ts';

export interface Action {
  readonly type: string;
  readonly params?: unknown;
}

/** A step on its way: from action to action its context changes, and what is to be done grows. */
export interface Progress {
  context: object;
  readonly event: ActorEvent;
  readonly done: Action[];
  /** The state as it is now, for actions that look at it. */
  snapshot(): object;
}

interface Args {
  readonly context: object;
  readonly event: ActorEvent;
}

type Assigner = (args: Args, params: unknown) => unknown;

/** XState's own actions are functions that say what they are, and how they are resolved. */
interface BuiltIn {
  readonly type: string;
  readonly assignment?: Assigner | Readonly<Record<string, unknown>>;
  readonly resolve: (
    scope: object,
    snapshot: object,
    args: Args,
    params: unknown,
    action: BuiltIn,
    extra: { readonly internalQueue: ActorEvent[] },
  ) => readonly [snapshot: object, params: unknown, actions?: readonly unknown[]];
}

/** Pure data comes of these, so XState resolves them. Nothing else of its own can be stored. */
const RESOLVED: readonly string[] = ['xstate.raise', 'xstate.cancel', 'xstate.enqueueActions'];

export type Perform = (actions: readonly unknown[], progress: Progress) => void;

/** Performs actions one after the other. It does nothing: it notes what there is to be done. */
export function createPerformer(machine: AnyStateMachine): Perform {
  const named = machine.implementations.actions as Readonly<Record<string, unknown>>;

  function perform(actions: readonly unknown[], progress: Progress): void {
    for (const action of actions) {
      const { type, params: given, implementation } = read(action);
      const args = { context: progress.context, event: progress.event };
      const params = typeof given === 'function' ? given(args) : given;
      const builtIn = toBuiltIn(implementation);
      if (!builtIn) progress.done.push({ type, params });
      else if (builtIn.assignment) assign(builtIn.assignment, args, params, progress);
      else resolve(builtIn, args, params, progress);
    }
  }

  function read(action: unknown): { type: string; params?: unknown; implementation: unknown } {
    if (typeof action === 'function') return { type: action.name, implementation: action };
    if (typeof action === 'string') return { type: action, implementation: named[action] };
    const { type, params } = action as Action;
    return { type, params, implementation: named[type] };
  }

  function resolve(builtIn: BuiltIn, args: Args, params: unknown, progress: Progress): void {
    const { type } = builtIn;
    if (!RESOLVED.includes(type)) throw new Error(`action ${type} cannot be made durable`);
    const internalQueue: ActorEvent[] = [];
    const [, resolved, actions] = builtIn.resolve(
      ...([{}, progress.snapshot(), args, params, builtIn] as const),
      { internalQueue },
    );
    const [raised] = internalQueue;
    if (raised) throw new Error(`${raised.type} is raised without a delay, or with an unknown one`);
    if (actions) perform(actions, progress);
    else progress.done.push({ type, params: resolved });
  }
  return perform;
}

const toBuiltIn = (implementation: unknown): BuiltIn | null =>
  typeof implementation === 'function' && 'resolve' in implementation
    ? (implementation as unknown as BuiltIn)
    : null;

/** XState would make a whole snapshot of every assignment; only the last one is looked at. */
function assign(
  assignment: NonNullable<BuiltIn['assignment']>,
  args: Args,
  params: unknown,
  progress: Progress,
): void {
  if (typeof assignment === 'function') {
    progress.context = { ...args.context, ...(assignment(args, params) as object) };
    return;
  }
  const context: Record<string, unknown> = { ...args.context };
  for (const [key, value] of Object.entries(assignment)) {
    context[key] = typeof value === 'function' ? value(args, params) : value;
  }
  progress.context = context;
}
