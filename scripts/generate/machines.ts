import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

/** docs/machines/*.md: a diagram of every region, and a row for every state. */
export function renderMachine(name: string, machine: AnyStateMachine): string {
  const regions = childrenOf(machine.root);
  return [
    `# The ${name} machine`,
    '',
    'Generated from the machine by `npm run generate`: do not edit.',
    '',
    `Regions, side by side: ${regions.map(({ key }) => `[${key}](#${key})`).join(', ')}.`,
    'An event in brackets has a guard; `always` happens by itself as soon as its guard holds.',
    ...regions.flatMap(renderRegion),
    '',
  ].join('\n');
}

const childrenOf = (node: AnyStateNode): AnyStateNode[] => Object.values(node.states);

function renderRegion(region: AnyStateNode): string[] {
  const states = descendantsOf(region);
  return [
    '',
    `## ${region.key}`,
    '',
    '```mermaid',
    'stateDiagram-v2',
    ...drawChildren(region, 1),
    ...drawEdges([region, ...states], region),
    '```',
    '',
    '| state | meaning | deadline | exits |',
    '|---|---|---|---|',
    ...states.map((state) => renderRow(state, region)),
  ];
}

const descendantsOf = (node: AnyStateNode): AnyStateNode[] =>
  childrenOf(node).flatMap((child) => [child, ...descendantsOf(child)]);

const pathOf = (node: AnyStateNode, region: AnyStateNode): string =>
  node.path.slice(region.path.length).join('.') || region.key;

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
        return `  ${from} --> ${nameOf(target)}: ${labelOf(transition)}`;
      }),
    ),
  );
  return [...new Set(edges)];
}

const transitionsOf = (node: AnyStateNode): AnyTransitionDefinition[] => [
  ...[...node.transitions.values()].flat(),
  ...(node.always ?? []),
];

function labelOf({ eventType, guard }: AnyTransitionDefinition): string {
  const event = eventType === '' ? 'always' : (deadlineOf(eventType) ?? eventType);
  return guard ? `[${event}]` : event;
}

/** `xstate.after.cloneDeadline.instance.provisioning.cloning` → `after cloneDeadline` */
function deadlineOf(eventType: string): string | null {
  const name = /^xstate\.after\.(\w+)\./.exec(eventType)?.[1];
  return name === undefined ? null : `after ${name}`;
}

function renderRow(state: AnyStateNode, region: AnyStateNode): string {
  const transitions = transitionsOf(state);
  const deadlines = transitions.map(({ eventType }) => deadlineOf(eventType)).filter(Boolean);
  const exits = transitions.flatMap((transition) => {
    const targets = (transition.target ?? []).map((target) => pathOf(target, region));
    return targets.map((target) => `${labelOf(transition)} → ${target}`);
  });
  const cells = [
    `\`${pathOf(state, region)}\``,
    state.description ?? '',
    [...new Set(deadlines)].join(', '),
    [...new Set(exits)].join('<br>'),
  ];
  return `| ${cells.join(' | ')} |`;
}
