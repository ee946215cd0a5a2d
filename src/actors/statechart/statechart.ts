import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyStateNode,
  AnyTransitionDefinition,
  StateValue,
} from 'xstate';

import type { ActorEvent } from '../address.ts';
import { type Action, createPerformer } from './actions.ts';
import { type Candidate, type Configuration, createConfigurations } from './configuration.ts';
import { createGuardCompiler } from './guards.ts';

export interface Statechart {
  /** A snapshot of this state, as XState's own `resolveState` makes it. */
  resolve(state: { value: unknown; context: object; status: string }): AnyMachineSnapshot;
  /** The same snapshot and no actions: the event changes nothing. */
  transition(
    snapshot: AnyMachineSnapshot,
    event: ActorEvent,
  ): readonly [AnyMachineSnapshot, readonly Action[]];
}

const charts = new WeakMap<AnyStateMachine, Statechart>();

/** The statechart of a machine, made once. @throws Error if it uses what cannot be made durable */
export function statechartOf(machine: AnyStateMachine): Statechart {
  const known = charts.get(machine);
  if (known) return known;
  const made = createStatechart(machine);
  charts.set(machine, made);
  return made;
}

/**
 * Takes the steps of an XState machine as XState takes them, at a seventh of the cost: whatever
 * follows from the active states alone is found out once, and a snapshot is made once a step.
 * That both answer the same is tested on our machines (tests/machines/equality.test.ts) and on
 * random ones (tests/actors/statechart.test.ts).
 */
function createStatechart(machine: AnyStateMachine): Statechart {
  for (const node of nodesOf(machine.root)) refuseUnknown(node);
  const perform = createPerformer(machine);
  const find = createConfigurations(candidatesIn(machine));
  const shapes = createShapes(machine, find);
  const { maxIterations = Number.POSITIVE_INFINITY } = machine.options;

  return {
    resolve: ({ value, context, status }) => withContext(shapes.ofValue(value, status), context),
    transition(snapshot, event) {
      if (snapshot.status !== 'active') return [snapshot, []];
      let configuration = shapes.configurationOf(snapshot);
      const done: Action[] = [];
      const progress = {
        context: snapshot.context as object,
        event,
        done,
        snapshot: () => withContext(shapes.ofConfiguration(configuration), progress.context),
      };
      let hasMoved = false;
      let transitions = configuration.select(progress.context, event);
      for (let turn = 0; transitions.length > 0 || turn === 0; turn += 1) {
        if (turn > maxIterations) throw new Error(`${machine.id} takes ${event.type} for ever`);
        const before = progress.context;
        const { actions, next } = configuration.move(transitions);
        perform(actions, progress);
        const isStill = next === configuration && progress.context === before;
        hasMoved ||= next !== configuration;
        configuration = next;
        // Without an event the same would happen again and again.
        if (isStill && turn > 0) break;
        transitions = configuration.selectEventless(progress.context, event);
      }
      if (!hasMoved && progress.context === snapshot.context) return [snapshot, done];
      return [progress.snapshot(), done];
    },
  };
}

function nodesOf(node: AnyStateNode): readonly AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

const withContext = (shape: Shape, context: object) =>
  ({ ...shape, context }) as AnyMachineSnapshot;

/** What has no place in a stored state, would need an actor that runs, or is not known here. */
function refuseUnknown(node: AnyStateNode): void {
  const { id, type, invoke, initial, transitions, always = [] } = node;
  const all = [...transitions.values(), always].flat();
  const [unknown] = [
    ...(type === 'final' || type === 'history' ? [type] : []),
    ...(invoke.length > 0 ? ['invoke'] : []),
    ...(initial.actions.length > 0 ? ['actions of an initial transition'] : []),
    ...(all.some(({ target = [] }) => target.length > 1) ? ['several targets at once'] : []),
    ...[...transitions.keys()].filter((name) => name.endsWith('*')),
  ];
  if (unknown) throw new Error(`${id} uses ${unknown}, which a durable machine cannot`);
}

const NO_TRANSITIONS: readonly AnyTransitionDefinition[] = [];

function candidatesIn(machine: AnyStateMachine) {
  const compile = createGuardCompiler(machine);
  const known = new Map<unknown, readonly Candidate[]>();

  function toCandidates(
    transitions: readonly AnyTransitionDefinition[] = NO_TRANSITIONS,
  ): readonly Candidate[] {
    let candidates = known.get(transitions);
    if (!candidates) {
      candidates = transitions.map((transition) => ({
        transition,
        test: transition.guard === undefined ? null : compile(transition.guard),
      }));
      known.set(transitions, candidates);
    }
    return candidates;
  }
  return {
    candidatesOf: ({ transitions }: AnyStateNode, eventType: string) =>
      toCandidates(transitions.get(eventType)),
    eventlessOf: ({ always }: AnyStateNode) => toCandidates(always),
  };
}

type Shape = Omit<AnyMachineSnapshot, 'context'>;

/** Snapshots without their context. A machine has few of them, and all its actors share. */
function createShapes(
  machine: AnyStateMachine,
  find: (nodes: readonly AnyStateNode[]) => Configuration,
) {
  const byText = new Map<string, Shape>();
  /** By their own values: those that a step of ours has led to come back as they are. */
  const byIdentity = new WeakMap<object, Shape>();
  const byConfiguration = new WeakMap<Configuration, Shape>();
  const configurations = new WeakMap<readonly AnyStateNode[], Configuration>();

  function make(value: unknown, status: string): Shape {
    const ordered = inDocumentOrder(machine.root, value);
    const { context: _, ...shape } = machine.resolveState({
      ...{ value: ordered as StateValue, status, historyValue: {} },
    } as never) as AnyMachineSnapshot;
    return shape;
  }

  function ofValue(value: unknown, status: string): Shape {
    const known = byIdentity.get(value as object);
    if (known?.status === status) return known;
    const key = `${status} ${JSON.stringify(value)}`;
    let shape = byText.get(key);
    if (!shape) {
      shape = make(value, status);
      byText.set(key, shape);
      if (typeof shape.value === 'object') byIdentity.set(shape.value, shape);
    }
    return shape;
  }

  return {
    ofValue,
    ofConfiguration(configuration: Configuration): Shape {
      let shape = byConfiguration.get(configuration);
      if (!shape) {
        shape = ofValue(stateValueOf(machine.root, configuration.active), 'active');
        byConfiguration.set(configuration, shape);
      }
      return shape;
    },
    configurationOf({ _nodes: nodes }: AnyMachineSnapshot): Configuration {
      let configuration = configurations.get(nodes);
      if (!configuration) {
        configuration = find(nodes);
        configurations.set(nodes, configuration);
      }
      return configuration;
    },
  };
}

function stateValueOf(node: AnyStateNode, active: ReadonlySet<AnyStateNode>): StateValue {
  const children = Object.values(node.states).filter((child) => active.has(child));
  const [only] = children;
  if (node.type === 'compound' && only?.type === 'atomic') return only.key;
  return Object.fromEntries(children.map((child) => [child.key, stateValueOf(child, active)]));
}

/** The database keeps the keys of an object in an order of its own, which XState would follow. */
function inDocumentOrder({ states }: AnyStateNode, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const given = Object.entries(value);
  const place = new Map(Object.keys(states).map((name, index) => [name, index]));
  given.sort(([a], [b]) => (place.get(a) ?? 0) - (place.get(b) ?? 0));
  return Object.fromEntries(
    given.map(([name, inner]) => {
      const child = states[name];
      return [name, child ? inDocumentOrder(child, inner) : inner];
    }),
  );
}
