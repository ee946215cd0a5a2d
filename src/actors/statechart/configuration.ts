import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';

import type { ActorEvent } from '../address.ts';
import type { Test } from './guards.ts';
import { planMove, withoutConflicts } from './moves.ts';

export interface Candidate {
  readonly transition: AnyTransitionDefinition;
  /** null: always. */
  readonly test: Test | null;
}

/**
 * The active state nodes of a moment, and all that follows from them alone: which transitions an
 * event may take, and what each does. A machine comes into the same few again and again, so this
 * is found out once for each.
 */
export interface Configuration {
  /** In XState's order, which decides the order of what regions do in the same step. */
  readonly nodes: readonly AnyStateNode[];
  /** @returns the transitions that the event takes */
  select(context: unknown, event: ActorEvent): readonly AnyTransitionDefinition[];
  /** @returns the transitions that need no event. `event` is the one that led here. */
  selectEventless(context: unknown, event: ActorEvent): readonly AnyTransitionDefinition[];
  readonly active: ReadonlySet<AnyStateNode>;
  move(transitions: readonly AnyTransitionDefinition[]): {
    readonly actions: readonly unknown[];
    readonly next: Configuration;
  };
}

export interface ConfigurationOptions {
  readonly candidatesOf: (node: AnyStateNode, eventType: string) => readonly Candidate[];
  readonly eventlessOf: (node: AnyStateNode) => readonly Candidate[];
}

/** @returns the configuration of these nodes, the same one for the same nodes in the same order */
export function createConfigurations(options: ConfigurationOptions) {
  const known = new Map<string, Configuration>();

  return function find(nodes: readonly AnyStateNode[]): Configuration {
    const key = nodes.map(({ order }) => order).join();
    const found = known.get(key);
    if (found) return found;
    const configuration = createConfiguration(nodes, options, find);
    known.set(key, configuration);
    return configuration;
  };
}

function createConfiguration(
  nodes: readonly AnyStateNode[],
  { candidatesOf, eventlessOf }: ConfigurationOptions,
  find: (nodes: readonly AnyStateNode[]) => Configuration,
): Configuration {
  const active = new Set(nodes);
  const leaves = nodes.filter(({ type }) => type === 'atomic');
  const eventless = leaves.map((leaf) => lineOf(leaf).flatMap(eventlessOf)).filter(isFilled);
  const moves = new Map<unknown, ReturnType<Configuration['move']>>();
  const selections = new Map<string, Selection>();

  const configuration: Configuration = {
    nodes,
    active,
    select(context, event) {
      let selection = selections.get(event.type);
      if (!selection) {
        selection = createSelection(nodes, (node) => candidatesOf(node, event.type));
        selections.set(event.type, selection);
      }
      return selection(active, context, event);
    },
    selectEventless(context, event) {
      const enabled = new Set<AnyTransitionDefinition>();
      for (const candidates of eventless) {
        const first = firstOf(candidates, active, context, event);
        if (first) enabled.add(first);
      }
      return [...enabled];
    },
    move(transitions) {
      const key = transitions.length === 1 ? transitions[0] : transitions.map(placeOf).join();
      let move = moves.get(key);
      if (!move) {
        const { actions, nodes: after } = planMove(nodes, withoutConflicts(nodes, transitions));
        const isSame = after.length === nodes.length && after.every((node) => active.has(node));
        move = { actions, next: isSame ? configuration : find(after) };
        moves.set(key, move);
      }
      return move;
    },
  };
  return configuration;
}

const isFilled = (list: readonly unknown[]): boolean => list.length > 0;

/** From the inside to the outside, itself first. */
function lineOf(node: AnyStateNode): readonly AnyStateNode[] {
  const line: AnyStateNode[] = [];
  for (let one: AnyStateNode | undefined = node; one; one = one.parent) line.push(one);
  return line;
}

const places = new WeakMap<AnyTransitionDefinition, number>();
let placeSeq = 0;

/** A number of its own for every transition. */
function placeOf(transition: AnyTransitionDefinition): number {
  const known = places.get(transition);
  if (known !== undefined) return known;
  placeSeq += 1;
  places.set(transition, placeSeq);
  return placeSeq;
}

function firstOf(
  candidates: readonly Candidate[],
  active: ReadonlySet<AnyStateNode>,
  context: unknown,
  event: ActorEvent,
): AnyTransitionDefinition | undefined {
  for (const { transition, test } of candidates) {
    if (!test || test(active, context, event)) return transition;
  }
  return undefined;
}

type Selection = (
  active: ReadonlySet<AnyStateNode>,
  context: unknown,
  event: ActorEvent,
) => readonly AnyTransitionDefinition[];

const NONE: Selection = () => [];

/** Whatever is inside goes first; of what lies side by side, each decides for itself. */
function createSelection(
  nodes: readonly AnyStateNode[],
  candidatesOf: (node: AnyStateNode) => readonly Candidate[],
): Selection {
  function build(node: AnyStateNode): Selection {
    const own = candidatesOf(node);
    const parts = nodes.filter(({ parent }) => parent === node).map(build);
    const inside = parts.filter((part) => part !== NONE);
    if (own.length === 0 && inside.length === 0) return NONE;
    return (active, context, event) => {
      const taken = inside.flatMap((part) => part(active, context, event));
      if (taken.length > 0) return taken;
      const first = firstOf(own, active, context, event);
      return first ? [first] : [];
    };
  }
  const root = nodes.find(({ parent }) => !parent);
  return root ? build(root) : NONE;
}
