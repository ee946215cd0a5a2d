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

/** What a step did, before its outcome is taken for that of every state like it. */
export interface Step<S> {
  readonly before: S;
  readonly event: { readonly type: string };
  readonly after: S;
  readonly actions: readonly Action[];
}

interface Search<S> {
  readonly nodes: Map<string, Node<S>>;
  transitions: number;
}

/** Breadth-first: each state once all that can follow it is known, so whoever looks may stop. */
export function* search<S>(
  { machine, input, events, key }: Model<S>,
  found: Search<S> = { nodes: new Map(), transitions: 0 },
  onStep: (step: Step<S>) => void = () => undefined,
): Generator<readonly [Node<S>, ReadonlyMap<string, Node<S>>]> {
  const step = createTransition(machine);
  const [initial] = initialTransition(machine, input as never);
  const first = restore(machine, initial as S);
  const { nodes } = found;
  nodes.set(key(first), { key: key(first), snapshot: first, edges: [] });
  for (const node of nodes.values()) {
    const before = node.snapshot;
    for (const event of events(before)) {
      found.transitions += 1;
      const [next, actions] = step(before as never, event);
      if (next === before && actions.length === 0) continue;
      onStep({ before, event, after: next as S, actions });
      const to = key(next as S);
      node.edges.push({ event, to, actions });
      if (nodes.has(to)) continue;
      if (nodes.size === STATES_MAX) throw new Error('the abstraction is not bounded');
      nodes.set(to, { key: to, snapshot: restore(machine, next as S), edges: [] });
    }
    yield [node, nodes];
  }
}

/** All states that the machine can reach under the abstraction. */
export function explore<S>(model: Model<S>, onStep?: (step: Step<S>) => void): Exploration<S> {
  const found: Search<S> = { nodes: new Map(), transitions: 0 };
  const predecessors = new Map<string, string[]>();
  for (const [{ key, edges }] of search(model, found, onStep)) {
    for (const { to } of edges) {
      const before = predecessors.get(to);
      if (before) before.push(key);
      else predecessors.set(to, [key]);
    }
  }
  const { nodes, transitions } = found;
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
