import {
  type AnyStateNode,
  type AnyTransitionDefinition,
  getNextTransitions,
  type SnapshotFrom,
} from 'xstate';

import { listCalls } from './calls.ts';
import type { EdgePlan } from './edge-types.ts';
import { instanceMachine } from './machine.ts';
import type { InstanceState } from './status.ts';
import type { InstanceContext, InstanceEvent, Lane, Op } from './types.ts';

type Snapshot = SnapshotFrom<typeof instanceMachine>;

/** A timer of this instance as the database has it; times are Unix ms. */
export interface ArmedDeadline {
  readonly timerId: string;
  readonly dueAt: number;
}

export interface Possibility {
  /** `condition`: it happens by itself as soon as the guard holds. */
  readonly kind: 'event' | 'wish' | 'deadline' | 'condition';
  /** The event or the deadline; null for a condition. */
  readonly on: string | null;
  readonly guard: string | null;
  readonly dueAt: number | null;
  readonly state: string;
  readonly description: string | null;
}

export interface ExplainedRegion {
  readonly region: string;
  readonly state: string;
  readonly description: string | null;
  /** It resolves by itself, so it has a deadline. */
  readonly isTransient: boolean;
  readonly since: number;
  readonly waitsFor: {
    readonly calls: readonly (Omit<Op, 'id'> & { readonly lane: Lane })[];
    readonly events: readonly string[];
    readonly conditions: readonly string[];
  };
  /** The next one. */
  readonly deadline: { readonly name: string; readonly dueAt: number } | null;
  readonly next: readonly Possibility[];
}

/**
 * Why an instance is where it is and what can happen next. All of it is read off the machine: a
 * state or a transition that is added there is explained here without anybody's doing.
 */
export function explainState(
  { value, context, since }: InstanceState,
  armed: readonly ArmedDeadline[],
): readonly ExplainedRegion[] {
  const snapshot = instanceMachine.resolveState({ value, context } as never) as Snapshot;
  const dueAt = new Map(armed.map((timer) => [timer.timerId, timer.dueAt]));
  const transitions = getNextTransitions(snapshot).filter(
    (transition) => transition.target && isPossible(snapshot, transition, dueAt),
  );
  return Object.values(instanceMachine.root.states as Record<string, AnyStateNode>).map((root) => {
    const path = pathOf(root, value[root.key]);
    const next = transitions
      .filter(({ source }) => source.path[0] === root.key)
      // A rule of the whole region, which this state follows already.
      .filter(({ eventType, target }) => eventType !== '' || target?.[0] !== path.at(-1))
      .map((transition) => toPossibility(transition, dueAt))
      .sort((a, b) => (a.dueAt ?? Infinity) - (b.dueAt ?? Infinity));
    const [soonest] = next;
    return {
      region: root.key,
      state: path.map(({ key }) => key).join('.'),
      description: descriptionOf(path.at(-1)),
      isTransient: path.some(({ tags }) => tags.includes('transient')),
      since: since[root.key] ?? 0,
      waitsFor: {
        calls: callsOf(snapshot, root.key),
        events: namesOf(next, 'event', ({ on }) => on),
        conditions: namesOf(next, 'condition', ({ guard }) => guard),
      },
      deadline: soonest?.dueAt ? { name: soonest.on ?? '', dueAt: soonest.dueAt } : null,
      next,
    };
  });
}

/** The active states of a region, from the outermost to the innermost. */
function pathOf(region: AnyStateNode, value: unknown): AnyStateNode[] {
  const isLeaf = typeof value === 'string';
  const [key, inner] = isLeaf ? [value, null] : (Object.entries(value ?? {})[0] ?? ['', null]);
  const node = region.states[key];
  if (!node) return [];
  return inner === null ? [node] : [node, ...pathOf(node, inner)];
}

/** A state without words of its own is a detail of the one around it. */
function descriptionOf(node: AnyStateNode | undefined): string | null {
  if (!node || node.path.length < 2) return null;
  return node.description ?? descriptionOf(node.parent);
}

const namesOf = (
  next: readonly Possibility[],
  kind: Possibility['kind'],
  name: (one: Possibility) => string | null,
): string[] => [
  ...new Set(next.filter((one) => one.kind === kind).flatMap((one) => name(one) ?? [])),
];

const DEADLINE = /^xstate\.after\.(\w+)\./;
/** By the glossary: a wish's name ends so, and nothing else's does. */
const WISH = /\.requested$/;

/** A transition in the words of the machine. */
export function toPossibility(
  { eventType, guard, target }: AnyTransitionDefinition,
  dueAt: ReadonlyMap<string, number>,
): Possibility {
  const deadline = DEADLINE.exec(eventType)?.[1];
  const kind = WISH.test(eventType) ? 'wish' : 'event';
  const to = target?.[0];
  return {
    kind: deadline ? 'deadline' : eventType === '' ? 'condition' : kind,
    on: deadline ?? (eventType || null),
    guard: guard === undefined ? null : describeGuard(guard),
    dueAt: dueAt.get(eventType) ?? null,
    state: to?.path.slice(1).join('.') ?? '',
    description: descriptionOf(to),
  };
}

interface ComposedGuard {
  readonly name: string;
  readonly guards?: readonly unknown[];
  readonly stateValue?: unknown;
}

/** XState keeps what `and`, `or` and `not` are made of. */
export function describeGuard(guard: unknown): string {
  if (typeof guard === 'string') return guard;
  if (typeof guard === 'function') {
    const { name, guards, stateValue } = guard as unknown as ComposedGuard;
    const parts = guards?.map(describeGuard);
    if (parts) return name === 'not' ? `not ${parts[0]}` : parts.join(` ${name} `);
    return stateValue === undefined ? 'it depends on the event' : JSON.stringify(stateValue);
  }
  const { type, params = {} } = guard as { type: string; params?: object };
  return `${type} ${Object.values(params).join(' ')}`.trim();
}

/** Everything but an answer to a call that nobody makes, a wish refused and a timer not armed. */
function isPossible(
  snapshot: Snapshot,
  transition: AnyTransitionDefinition,
  dueAt: ReadonlyMap<string, number>,
): boolean {
  const { eventType } = transition;
  if (eventType === '') return true;
  if (DEADLINE.test(eventType)) return dueAt.has(eventType);
  if (WISH.test(eventType)) {
    return isTaken(snapshot, transition, [{ force: true, plan: planOf(snapshot.context) }]);
  }
  if (!isAnswer(snapshot, transition)) return true;
  const calls = listCalls(snapshot.context.ops).map(({ op }) => op);
  return isTaken(snapshot, transition, answersTo(calls));
}

/** A wish to publish says what; to publish the same again is always one of them. */
const planOf = ({ payload: { edge, proxy } }: InstanceContext): EdgePlan => ({
  targets: (edge?.targets ?? []).map(({ spec }) => spec),
  proxy,
});

/** Does it need a call in flight? It does if it is taken with one, and not without. */
function isAnswer(snapshot: Snapshot, transition: AnyTransitionDefinition): boolean {
  const call = (id: string) => ({ id, kind: 'observe', since: 0, upid: null }) as const;
  const [host, agent, proxy, target] = ['a', 'b', 'c', 'd'].map(call);
  const having = (ops: object) =>
    ({ ...snapshot, context: { ...snapshot.context, ops } as InstanceContext }) as Snapshot;
  const all = having({
    host,
    agent: { ...agent, kind: 'await' },
    proxy,
    edge: { forward: target },
  });
  const none = having({ host: null, agent: null, proxy: null, edge: {} });
  const answers = answersTo([host, agent, proxy, target].map((one) => one ?? null));
  return isTaken(all, transition, answers) && !isTaken(none, transition, answersTo([null]));
}

/** Good and bad answers: whatever the guards of a machine may ask of one. */
const answersTo = (calls: readonly (Pick<Op, 'id'> | null)[]): object[] =>
  calls.flatMap((call) => [
    { opId: call?.id ?? null, retryable: true, code: '' },
    { opId: call?.id ?? null, retryable: false, code: '' },
    { opId: call?.id ?? null, retryable: false, code: 'container_missing' },
  ]);

const isTaken = (
  snapshot: Snapshot,
  transition: AnyTransitionDefinition,
  samples: readonly object[],
): boolean =>
  samples.some((sample) => {
    const event = { type: transition.eventType, ...paramsOf(transition.guard), ...sample, at: 0 };
    return takenBy(snapshot, event).includes(transition);
  });

const takenBy = (snapshot: Snapshot, event: object): AnyTransitionDefinition[] =>
  instanceMachine.getTransitionData(snapshot, event as InstanceEvent);

/** What a guard is asked about is what the event must say: `{ power: 'running' }`. */
function paramsOf(guard: unknown): object {
  const { params, guards = [] } = (guard ?? {}) as { params?: object; guards?: unknown[] };
  return Object.assign({}, params, ...guards.map(paramsOf));
}

/** The calls in flight that a region waits for: those whose failure it would take. */
function callsOf(snapshot: Snapshot, region: string): ExplainedRegion['waitsFor']['calls'] {
  return listCalls(snapshot.context.ops).flatMap(({ lane, op: { id: opId, ...op } }) => {
    const failure = { type: 'effect.failed', opId, code: '', message: '', retryable: false, at: 0 };
    const isTheirs = takenBy(snapshot, failure).some(({ source }) => source.path[0] === region);
    return isTheirs ? [{ lane, ...op }] : [];
  });
}
