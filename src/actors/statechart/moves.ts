import type { AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** What taking some transitions together does, whatever the context: it can be known beforehand. */
export interface Move {
  /** Of what is left, of the transitions, and of what is entered: in the order of their execution. */
  readonly actions: readonly unknown[];
  /** What is active then: what remains, in its order, and behind it what was entered. */
  readonly nodes: readonly AnyStateNode[];
}

type Domain = AnyStateNode | undefined;

/**
 * A microstep of the SCXML algorithm (https://www.w3.org/TR/scxml/#AlgorithmforSCXMLInterpretation)
 * as XState takes it: a transition into its own source leaves the source only if it says `reenter`.
 * There is no history, nothing final and nothing invoked: statechart.ts refuses them.
 */
export function planMove(
  nodes: readonly AnyStateNode[],
  transitions: readonly AnyTransitionDefinition[],
): Move {
  const left = transitions.flatMap((one) => exitsOf(nodes, one));
  const exits = [...new Set(left)].sort((a, b) => b.order - a.order);
  const entries = [...entriesOf(transitions)].sort((a, b) => a.order - b.order);
  const active = new Set(nodes);
  for (const node of exits) active.delete(node);
  for (const node of entries) active.add(node);
  return {
    actions: [
      ...exits.flatMap(({ exit }) => exit),
      ...transitions.flatMap(({ actions }) => actions),
      ...entries.flatMap(({ entry }) => entry),
    ],
    nodes: [...active],
  };
}

/** Of transitions that would leave the same nodes, the one further inside, or else the first. */
export function withoutConflicts(
  nodes: readonly AnyStateNode[],
  transitions: readonly AnyTransitionDefinition[],
): readonly AnyTransitionDefinition[] {
  const kept = new Set<AnyTransitionDefinition>();
  for (const one of transitions) {
    const exits = new Set(exitsOf(nodes, one));
    const rivals = [...kept].filter((other) => exitsOf(nodes, other).some((n) => exits.has(n)));
    if (!rivals.every(({ source }) => isWithin(one.source, source))) continue;
    for (const rival of rivals) kept.delete(rival);
    kept.add(one);
  }
  return [...kept];
}

/** Is it inside? Everything is inside of nothing. */
function isWithin(node: AnyStateNode, around: Domain): boolean {
  if (!around) return true;
  return ancestorsOf(node).includes(around);
}

/** From the inside to the outside, up to `end`, which is not one of them; none, if it is that. */
function ancestorsOf(node: AnyStateNode, end?: AnyStateNode): AnyStateNode[] {
  const ancestors: AnyStateNode[] = [];
  if (node === end) return ancestors;
  for (let one = node.parent; one && one !== end; one = one.parent) ancestors.push(one);
  return ancestors;
}

/** There is one at most: statechart.ts refuses more. */
const targetOf = ({ target }: AnyTransitionDefinition): AnyStateNode | undefined => target?.[0];

/** The node within which all happens. None: the root itself is left and entered. */
function domainOf({ source, reenter }: AnyTransitionDefinition, target: AnyStateNode): Domain {
  if (!reenter && (target === source || isWithin(target, source))) return source;
  const around = ancestorsOf(target).find((ancestor) => isWithin(source, ancestor));
  return around ?? (reenter ? undefined : source.machine.root);
}

function exitsOf(
  nodes: readonly AnyStateNode[],
  transition: AnyTransitionDefinition,
): readonly AnyStateNode[] {
  const target = targetOf(transition);
  if (!target) return [];
  const domain = domainOf(transition, target);
  return nodes.filter((node) => isWithin(node, domain));
}

function entriesOf(transitions: readonly AnyTransitionDefinition[]): ReadonlySet<AnyStateNode> {
  const entered = new Set<AnyStateNode>();

  function enterInside(node: AnyStateNode): void {
    if (node.type === 'parallel') enterChildren(node);
    if (node.type !== 'compound') return;
    const [initial] = node.initial.target as [AnyStateNode];
    entered.add(initial);
    enterInside(initial);
  }

  function enterChildren(node: AnyStateNode): void {
    for (const child of Object.values(node.states)) {
      if ([...entered].some((one) => isWithin(one, child))) continue;
      entered.add(child);
      enterInside(child);
    }
  }

  function enterAround(ancestors: readonly AnyStateNode[], domain: Domain): void {
    for (const ancestor of ancestors) {
      if (isWithin(ancestor, domain)) entered.add(ancestor);
      if (ancestor.type === 'parallel') enterChildren(ancestor);
    }
  }

  for (const transition of transitions) {
    const { source, reenter } = transition;
    const node = targetOf(transition);
    if (!node) continue;
    const domain = domainOf(transition, node);
    if (source !== node || reenter) entered.add(node);
    enterInside(node);
    const ancestors = ancestorsOf(node, domain);
    if (domain?.type === 'parallel') ancestors.push(domain);
    enterAround(ancestors, domain);
  }
  return entered;
}
