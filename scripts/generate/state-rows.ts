import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

import { describeGuard } from '../../src/machines/instance/why.ts';
import { deadlineOf, durationOf } from './deadline.ts';

/** What the user sees in a state, by the id of its node. */
export type Sights = ReadonlyMap<string, string>;

export const HEAD = [
  'state',
  'meaning',
  'how it is entered',
  'deadline',
  'exits',
  'what the user sees',
] as const;

/** States that need no words of their own: with those of the state around them they say enough. */
const DETAILS: Readonly<Record<string, string>> = {
  performing: 'the call is being made',
  pausing: 'the call did not get through, and is made again after a pause',
};

export const childrenOf = (node: AnyStateNode): AnyStateNode[] => Object.values(node.states);

export const descendantsOf = (node: AnyStateNode): AnyStateNode[] =>
  childrenOf(node).flatMap((child) => [child, ...descendantsOf(child)]);

export const transitionsOf = (node: AnyStateNode): AnyTransitionDefinition[] => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? []),
];

/** The event of a transition, as people read it. */
export function eventOf({ eventType }: AnyTransitionDefinition): string {
  const deadline = deadlineOf(eventType);
  return eventType === '' ? 'always' : deadline === null ? eventType : `after ${deadline}`;
}

const labelOf = (transition: AnyTransitionDefinition): string => {
  const { guard } = transition;
  return guard === undefined
    ? eventOf(transition)
    : `${eventOf(transition)} [${describeGuard(guard)}]`;
};

/**
 * One row for every state of a region, in the columns of `HEAD`.
 * @throws Error naming the state of which something cannot be said
 */
export function rowsOf(
  machine: AnyStateMachine,
  region: AnyStateNode,
  sights: Sights,
): readonly (readonly string[])[] {
  const pathOf = (node: AnyStateNode) => node.path.slice(region.path.length).join('.');
  return descendantsOf(region).map((state) => {
    const cells = [
      `\`${pathOf(state)}\``,
      meaningOf(state),
      lines(entriesOf(state, region, pathOf)),
      lines(deadlinesOf(machine, state, region, pathOf)),
      lines(exitsOf(state, region, pathOf)),
      sightOf(state, region, sights, pathOf),
    ];
    const empty = cells.indexOf('');
    if (empty >= 0) throw new Error(`nobody can say of ${state.id}: ${HEAD[empty]}`);
    return cells;
  });
}

const lines = (texts: readonly string[]): string => [...new Set(texts)].join('<br>');

type PathOf = (node: AnyStateNode) => string;

function meaningOf(state: AnyStateNode): string {
  if (state.description !== undefined) return state.description;
  const [around, detail] = [state.parent?.description, DETAILS[state.key]];
  return around === undefined || detail === undefined ? '' : `${around}: ${detail}`;
}

const isInside = (node: AnyStateNode, around: AnyStateNode): boolean =>
  node === around || (node.parent !== undefined && isInside(node.parent, around));

/** The states that a transition leaves or enters are those below this one. */
function domainOf({ source, reenter }: AnyTransitionDefinition, to: AnyStateNode): AnyStateNode {
  if (!reenter && isInside(to, source)) return source;
  let domain = source.parent ?? source;
  while (!(isInside(to, domain) && to !== domain)) domain = domain.parent ?? to.machine.root;
  return domain;
}

function isEnteredBy(
  state: AnyStateNode,
  transition: AnyTransitionDefinition,
  to: AnyStateNode,
): boolean {
  const domain = domainOf(transition, to);
  return isInside(to, state) && state !== domain && isInside(state, domain);
}

/** Every transition that leads into a state from outside of it, and from where. */
function entriesOf(state: AnyStateNode, region: AnyStateNode, pathOf: PathOf): string[] {
  const { parent } = state;
  const isFirst = parent?.initial?.target[0] === state;
  const first = parent === region ? 'at first' : `first of \`${parent && pathOf(parent)}\``;
  const led = [region, ...descendantsOf(region)].flatMap((source) =>
    transitionsOf(source).flatMap((transition) =>
      (transition.target ?? [])
        .filter((to) => isEnteredBy(state, transition, to))
        .map((to) => {
          const from = source === region ? 'anywhere' : `\`${pathOf(source)}\``;
          const part = to === state ? '' : ` (to \`${pathOf(to)}\`)`;
          return [labelOf(transition), `${from}${part}`] as const;
        }),
    ),
  );
  const byLabel = Map.groupBy(led, ([label]) => label);
  const ways = [...byLabel].map(
    ([label, froms]) => `${label} ← ${[...new Set(froms.map(([, from]) => from))].join(', ')}`,
  );
  return [...(isFirst ? [first] : []), ...ways];
}

/** The states around a state, from the inside out, with the region itself at the end. */
function around(state: AnyStateNode, region: AnyStateNode): AnyStateNode[] {
  if (state === region || !state.parent) return [];
  return [state.parent, ...around(state.parent, region)];
}

const hasOwn = (node: AnyStateNode, is: (transition: AnyTransitionDefinition) => boolean) =>
  transitionsOf(node).some(is);
const isDeadline = ({ eventType }: AnyTransitionDefinition) => deadlineOf(eventType) !== null;
/** Nothing rests here, so nobody can look. */
const isPassed = ({ always = [] }: AnyStateNode) => always.some(({ guard }) => !guard);
const isExit = ({ target }: AnyTransitionDefinition) => target !== undefined;

function deadlinesOf(
  machine: AnyStateMachine,
  state: AnyStateNode,
  region: AnyStateNode,
  pathOf: PathOf,
): string[] {
  const own = transitionsOf(state)
    .filter(isDeadline)
    .map(({ eventType }) => {
      return `${deadlineOf(eventType)}: ${durationOf(machine, eventType) ?? 'as its context says'}`;
    });
  const outer = around(state, region).filter((node) => hasOwn(node, isDeadline));
  const found = [...own, ...outer.map((node) => `that of \`${pathOf(node)}\``)];
  if (found.length > 0) return found;
  const isOfParts = descendantsOf(state).some((node) => hasOwn(node, isDeadline));
  if (isOfParts) return ['those of its parts'];
  if (isPassed(state)) return ['none: it is left at once'];
  return [state.tags.includes('transient') ? 'that of the call it makes' : 'none: it may last'];
}

function exitsOf(state: AnyStateNode, region: AnyStateNode, pathOf: PathOf): string[] {
  const own = transitionsOf(state).flatMap((transition) =>
    (transition.target ?? []).map((to) => `${labelOf(transition)} → \`${pathOf(to)}\``),
  );
  const outer = around(state, region).filter((node) => hasOwn(node, isExit));
  const found = [
    ...own,
    ...outer.map((node) =>
      node === region ? 'the rules of the region' : `those of \`${pathOf(node)}\``,
    ),
  ];
  if (found.length > 0) return found;
  const isOfParts = descendantsOf(state).some((node) => hasOwn(node, isExit));
  return [isOfParts ? 'those of its parts' : 'none: it is the end'];
}

function sightOf(
  state: AnyStateNode,
  region: AnyStateNode,
  sights: Sights,
  pathOf: PathOf,
): string {
  if (isPassed(state)) return 'nothing: it is left at once';
  const text = sights.get(state.id) ?? '';
  const { parent } = state;
  const isAsAround = parent && parent !== region && sights.get(parent.id) === text;
  return text !== '' && isAsAround ? `as in \`${pathOf(parent)}\`` : text;
}
