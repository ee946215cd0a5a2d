import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

import { toPossibility } from '../../../src/machines/instance/why.ts';
import type { ChartTransition } from '../../../web/src/chart/types.ts';
import { durationOf } from '../deadline.ts';

/** A state as the machine has it, before it has a place. */
export interface ReadState {
  readonly path: string;
  readonly name: string;
  readonly description: string | null;
  readonly isTransient: boolean;
  readonly isInitial: boolean;
  /** How long it lasts at the most, in words. */
  readonly deadline: string | null;
  readonly children: readonly ReadState[];
}

export interface ReadRegion {
  readonly name: string;
  readonly states: readonly ReadState[];
  readonly transitions: readonly ChartTransition[];
}

/** Every region with all its states and transitions, in the order of the machine. */
export function readRegions(machine: AnyStateMachine): readonly ReadRegion[] {
  return childrenOf(machine.root).map((region) => ({
    name: region.key,
    states: childrenOf(region).map((state) => readState(machine, state)),
    transitions: [region, ...descendantsOf(region)].flatMap((source) =>
      transitionsOf(source).map((transition) => readTransition(machine, source, transition)),
    ),
  }));
}

const childrenOf = (node: AnyStateNode): AnyStateNode[] => Object.values(node.states);

const descendantsOf = (node: AnyStateNode): AnyStateNode[] =>
  childrenOf(node).flatMap((child) => [child, ...descendantsOf(child)]);

const transitionsOf = (node: AnyStateNode): AnyTransitionDefinition[] => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? []),
];

const pathOf = (node: AnyStateNode): string => node.path.slice(1).join('.');

function readState(machine: AnyStateMachine, node: AnyStateNode): ReadState {
  const deadline = transitionsOf(node).find(({ eventType }) => DEADLINE.test(eventType));
  return {
    path: pathOf(node),
    name: node.key,
    description: node.description ?? null,
    isTransient: node.tags.includes('transient'),
    isInitial: node.parent?.initial?.target[0] === node,
    deadline: deadline ? durationOf(machine, deadline.eventType) : null,
    children: childrenOf(node).map((child) => readState(machine, child)),
  };
}

/** Pauses between attempts are no deadlines. */
const DEADLINE = /^xstate\.after\.(?!\w+Pause\.)/;

function readTransition(
  machine: AnyStateMachine,
  source: AnyStateNode,
  transition: AnyTransitionDefinition,
): ChartTransition {
  const { kind, on, guard, state } = toPossibility(transition, new Map());
  return {
    from: pathOf(source),
    to: transition.target ? state : null,
    ...{ kind, on, guard },
    lasts: kind === 'deadline' ? durationOf(machine, transition.eventType) : null,
  };
}
