import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

import {
  childrenOf,
  descendantsOf,
  eventOf,
  HEAD,
  rowsOf,
  type Sights,
  transitionsOf,
} from './state-rows.ts';

/**
 * docs/machines/*.md: a diagram of every region, and a row for every state.
 * @throws Error naming the state of which something cannot be said
 */
export function renderMachine(name: string, machine: AnyStateMachine, sights: Sights): string {
  const regions = childrenOf(machine.root);
  return [
    `# The ${name} machine`,
    '',
    'Generated from the machine by `npm run generate`: do not edit.',
    '',
    `Regions, side by side: ${regions.map(({ key }) => `[${key}](#${key})`).join(', ')}.`,
    '`always` happens by itself as soon as its guard holds. In a diagram an event in brackets has a guard;',
    'in a table the guard itself is in brackets, and `…Op` asks whether it is the answer to the call in flight.',
    'What the user sees is what the views of the API say where the state is first met: on the shortest way',
    'from where all is well if it can be met there, and else from the beginning. It is the word for the',
    'whole, what the region has to do with it, and what may be asked for.',
    ...regions.flatMap((region) => renderRegion(machine, region, sights)),
    '',
  ].join('\n');
}

function renderRegion(machine: AnyStateMachine, region: AnyStateNode, sights: Sights): string[] {
  return [
    '',
    `## ${region.key}`,
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...drawChildren(region, 1),
    ...drawEdges([region, ...descendantsOf(region)], region),
    '```',
    '',
    `| ${HEAD.join(' | ')} |`,
    `|${'---|'.repeat(HEAD.length)}`,
    ...rowsOf(machine, region, sights).map((cells) => `| ${cells.join(' | ')} |`),
  ];
}

/** Mermaid knows no dots in names, and state names are unique only within their parent. */
const nameOf = (node: AnyStateNode): string => node.path.join('_');

function drawChildren(node: AnyStateNode, depth: number): string[] {
  const pad = '  '.repeat(depth);
  const initial = node.initial?.target[0];
  return [
    ...(initial ? [`${pad}[*] --> ${nameOf(initial)}`] : []),
    ...childrenOf(node).flatMap((child) =>
      child.type === 'compound'
        ? [
            `${pad}state "${child.key}" as ${nameOf(child)} {`,
            ...drawChildren(child, depth + 1),
            `${pad}}`,
          ]
        : [`${pad}state "${child.key}" as ${nameOf(child)}`],
    ),
  ];
}

function drawEdges(nodes: readonly AnyStateNode[], region: AnyStateNode): string[] {
  const edges = nodes.flatMap((source) =>
    transitionsOf(source).flatMap((transition) =>
      (transition.target ?? []).map((target) => {
        // An edge of the region itself may start anywhere in it.
        const from = source === region ? '[*]' : nameOf(source);
        return `  ${from} --> ${nameOf(target)}: ${shortLabelOf(transition)}`;
      }),
    ),
  );
  return [...new Set(edges)];
}

const shortLabelOf = (transition: AnyTransitionDefinition): string =>
  transition.guard ? `[${eventOf(transition)}]` : eventOf(transition);
