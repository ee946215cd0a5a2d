import { type AnyMachineSnapshot, type AnyStateMachine, initialTransition } from 'xstate';

import { type Action, createTransition } from '../../src/actors/transition.ts';

/** Far above what a bounded abstraction of our machines reaches. */
const STATES_MAX = 50_000;

export interface Node<S> {
  readonly key: string;
  readonly snapshot: S;
  readonly edges: { event: { type: string }; to: string; actions: readonly Action[] }[];
}

export interface Exploration<S> {
  readonly nodes: ReadonlyMap<string, Node<S>>;
  readonly transitions: number;
  /** Keys from which `isGoal` can be reached. */
  reaching(isGoal: (snapshot: S) => boolean): ReadonlySet<string>;
}

export interface Model<S> {
  readonly machine: AnyStateMachine;
  readonly input: unknown;
  /** Every event that the world or a user may send in this state. */
  readonly events: (snapshot: S) => readonly { type: string }[];
  /** The part of a snapshot that decides behaviour: bounded, or the search does not end. */
  readonly key: (snapshot: S) => string;
}

/** As the runtime does: a step always begins from what the row holds, not from a live object. */
export function restore<S>(machine: AnyStateMachine, snapshot: S): S {
  const { value, context, status } = snapshot as AnyMachineSnapshot;
  const row = JSON.parse(JSON.stringify({ value, context, status }));
  return machine.resolveState(row) as S;
}

/** Breadth-first search over all states that the machine can reach under the abstraction. */
export function explore<S>(
  { machine, input, events, key }: Model<S>,
  isEnough: (snapshot: S) => boolean = () => false,
): Exploration<S> {
  const step = createTransition(machine);
  const [initial] = initialTransition(machine, input as never);
  const first = restore(machine, initial as S);
  const nodes = new Map<string, Node<S>>([
    [key(first), { key: key(first), snapshot: first, edges: [] }],
  ]);
  const predecessors = new Map<string, string[]>();
  let transitions = 0;
  for (const node of nodes.values()) {
    if (isEnough(node.snapshot)) break;
    for (const event of events(node.snapshot)) {
      transitions += 1;
      const [next, actions] = step(node.snapshot as never, event);
      if (next === node.snapshot && actions.length === 0) continue;
      const to = key(next as S);
      node.edges.push({ event, to, actions });
      const before = predecessors.get(to);
      if (before) before.push(node.key);
      else predecessors.set(to, [node.key]);
      if (!nodes.has(to)) {
        if (nodes.size === STATES_MAX) throw new Error('the abstraction is not bounded');
        nodes.set(to, { key: to, snapshot: restore(machine, next as S), edges: [] });
      }
    }
  }
  return {
    nodes,
    transitions,
    reaching(isGoal) {
      const found = new Set<string>();
      const open = [...nodes.values()].filter((n) => isGoal(n.snapshot)).map((n) => n.key);
      for (const k of open) found.add(k);
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        for (const before of predecessors.get(next) ?? []) {
          if (found.has(before)) continue;
          found.add(before);
          open.push(before);
        }
      }
      return found;
    },
  };
}
