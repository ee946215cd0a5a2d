import { type AnyStateMachine, type AnyStateNode, and, not, or, type StateValue } from 'xstate';

import type { ActorEvent } from '../address.ts';

/** What is true of a moment: the active state nodes, the context, and the event that is taken. */
export type Test = (
  active: ReadonlySet<AnyStateNode>,
  context: unknown,
  event: ActorEvent,
) => boolean;

/** The parts of XState's own guards, which are functions with members. */
interface Combined {
  readonly check?: unknown;
  readonly guards?: readonly unknown[];
  readonly stateValue?: StateValue;
}

type Predicate = (args: { context: unknown; event: ActorEvent }, params: unknown) => boolean;

const checkOf = (guard: unknown) => (guard as Combined).check;
const AND = checkOf(and([]));
const OR = checkOf(or([]));
const NOT = checkOf(not(''));

/**
 * Turns the guards of a machine into functions, each once. `and`, `or`, `not` and `stateIn` are
 * those of XState, whose meaning they keep; what a `stateIn` asks for is looked up now, so that
 * to ask whether a state is active takes one look into a set.
 */
export function createGuardCompiler(machine: AnyStateMachine): (guard: unknown) => Test {
  const compiled = new Map<unknown, Test>();
  const named = machine.implementations.guards as Readonly<Record<string, unknown>>;

  function compileFunction(guard: Combined & Predicate, params: unknown): Test {
    if (guard.check === undefined) return fromPredicate(guard, params);
    if (guard.stateValue !== undefined) return fromNodes(nodesOf(machine, guard.stateValue));
    const tests = (guard.guards ?? []).map(compile);
    if (guard.check === AND) {
      return (active, context, event) => tests.every((test) => test(active, context, event));
    }
    if (guard.check === OR) {
      return (active, context, event) => tests.some((test) => test(active, context, event));
    }
    const [only] = tests;
    if (guard.check === NOT && only) {
      return (active, context, event) => !only(active, context, event);
    }
    throw new Error(`${machine.id} has a guard of a kind that is not known here`);
  }

  function build(guard: unknown): Test {
    if (typeof guard === 'function') return compileFunction(guard as never, undefined);
    const { type, params } =
      typeof guard === 'string'
        ? { type: guard, params: undefined }
        : (guard as { type: string; params?: unknown });
    const implementation = named[type];
    if (typeof implementation === 'function') {
      return compileFunction(implementation as never, params);
    }
    if (implementation !== undefined) return compile(implementation);
    throw new Error(`${machine.id} has no guard ${type}`);
  }

  function compile(guard: unknown): Test {
    const known = compiled.get(guard);
    if (known) return known;
    const test = build(guard);
    compiled.set(guard, test);
    return test;
  }
  return compile;
}

function fromPredicate(predicate: Predicate, params: unknown): Test {
  if (typeof params !== 'function') {
    return (_, context, event) => predicate({ context, event }, params);
  }
  return (_, context, event) => predicate({ context, event }, params({ context, event }));
}

function fromNodes([first, ...others]: readonly AnyStateNode[]): Test {
  if (!first) return () => true;
  if (others.length === 0) return (active) => active.has(first);
  return (active) => active.has(first) && others.every((node) => active.has(node));
}

/** The innermost nodes that a state value names: whoever is in them is in those around them, too. */
function nodesOf(machine: AnyStateMachine, value: StateValue): readonly AnyStateNode[] {
  if (typeof value === 'string' && value.startsWith('#')) {
    return [machine.getStateNodeById(value)];
  }
  return inner(machine.root, value);
}

function inner(node: AnyStateNode, value: StateValue): readonly AnyStateNode[] {
  const child = (key: string): AnyStateNode => {
    const found = node.states[key];
    if (!found) throw new Error(`${node.id} has no state ${key}`);
    return found;
  };
  if (typeof value === 'string') return [child(value)];
  return Object.entries(value).flatMap(([key, rest]) =>
    rest === undefined ? [child(key)] : inner(child(key), rest),
  );
}
