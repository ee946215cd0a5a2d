import elk, { type ElkExtendedEdge, type ElkNode, type ElkPoint } from 'elkjs/lib/elk.bundled.js';

import type {
  ChartArrow,
  ChartExit,
  ChartRegion,
  ChartState,
} from '../../../web/src/chart/types.ts';
import { type Chosen, choose, flatten, isAttempt } from './choose.ts';
import type { ReadRegion, ReadState } from './read.ts';
import { exitOf, labelOf } from './words.ts';

/**
 * Widths of a letter, in the sizes that chart.css gives. Generous: which letters the system of a
 * reader has is not known here.
 */
const LETTER = { name: 8.6, small: 5.9 };
const ROW = { name: 24, exit: 15, chip: 22, label: 13 };
const PAD = 8;
const CHIP = { performing: 74, pausing: 58, gap: 30 };
const BOX_WIDTH_MIN = 84;

/** The story goes downwards, in the order in which the machine tells it. */
const OPTIONS = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER',
  'elk.layered.considerModelOrder.strategy': 'PREFER_NODES',
  'elk.layered.spacing.nodeNodeBetweenLayers': '30',
  'elk.spacing.nodeNode': '20',
  'elk.spacing.edgeNode': '14',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '5',
  'elk.json.shapeCoords': 'ROOT',
  'elk.json.edgeCoords': 'ROOT',
  'elk.padding': '[top=8,left=8,bottom=8,right=8]',
};

/** Which of them does it best differs from region to region. */
const STRATEGIES = ['NETWORK_SIMPLEX', 'BRANDES_KOEPF', 'LINEAR_SEGMENTS'] as const;
/** A corner less is worth so much of a picture's width. */
const CORNER_COST = 8;

/** Gives every state and every arrow of a region its place. The same machine, the same places. */
export async function placeRegion(region: ReadRegion): Promise<ChartRegion> {
  const { name, states, transitions } = region;
  const chosen = choose(region);
  const exits = exitsOf(region, chosen);
  const laid = await layOut({
    id: name,
    children: states.map((state) => toNode(state, exits)),
    edges: chosen.arrows.map(({ from, to, of }, index) => {
      const lines = labelOf(of.flatMap((one) => transitions[one] ?? []));
      const width = Math.max(...lines.map((line) => line.length)) * LETTER.small + 4;
      const labels = [{ text: lines.join('\n'), width, height: lines.length * ROW.label }];
      return { id: String(index), sources: [from], targets: [to], labels };
    }),
  });
  const boxes = new Map(nodesOf(laid).map((node) => [node.id, boxOf(node)]));
  const placed = flatten(states).map((state) => placeState(state, { states, boxes, exits }));
  const arrows = chosen.arrows.map(({ from, to, of }, index) => {
    const edge = laid.edges?.find(({ id }) => id === String(index));
    return { from, to, of, ...drawEdge(edge) };
  });
  return {
    name,
    size: [Math.ceil(laid.width ?? 0), Math.ceil(laid.height ?? 0)],
    states: placed,
    arrows: [...arrows, ...drawLoops(chosen, placed)],
    transitions,
  };
}

/** The narrowest of some, for a phone is narrow; crooked ways count against it. */
async function layOut(graph: ElkNode): Promise<ElkNode> {
  const laid = await Promise.all(
    STRATEGIES.map((strategy) => {
      const layoutOptions = { ...OPTIONS, 'elk.layered.nodePlacement.strategy': strategy };
      return new elk.default().layout(structuredClone({ ...graph, layoutOptions }));
    }),
  );
  const costOf = ({ width = 0, edges = [] }: ElkNode) =>
    width + CORNER_COST * edges.flatMap(({ sections }) => sections?.[0]?.bendPoints ?? []).length;
  const [best] = laid.toSorted((a, b) => costOf(a) - costOf(b));
  return best ?? graph;
}

type Exits = ReadonlyMap<string, readonly ChartExit[]>;

function exitsOf({ transitions }: ReadRegion, { exits }: Chosen): Exits {
  const known = new Map<string, ChartExit[]>();
  for (const { from, to, of } of exits) {
    const text = exitOf(
      to,
      of.flatMap((one) => transitions[one] ?? []),
      from === to,
    );
    known.set(from, [...(known.get(from) ?? []), { to, text, of }]);
  }
  return known;
}

/** That of a call is shown where there is room for it: with the name of what calls. */
const deadlineOf = (state: ReadState): string | null =>
  state.deadline ??
  (isAttempt(state) ? (state.children.find(({ deadline }) => deadline)?.deadline ?? null) : null);

function toNode(state: ReadState, exits: Exits): ElkNode {
  const lines = exits.get(state.path) ?? [];
  const head =
    state.name.length * LETTER.name + ((deadlineOf(state)?.length ?? -2) + 4) * LETTER.small;
  const width = Math.ceil(
    Math.max(
      BOX_WIDTH_MIN,
      head + 2 * PAD,
      isAttempt(state) ? CHIP.performing + CHIP.gap + CHIP.pausing + 2 * PAD : 0,
      ...lines.map(({ text }) => text.length * LETTER.small + 2 * PAD),
    ),
  );
  const chips = isAttempt(state) ? ROW.chip + 6 : 0;
  const height = ROW.name + chips + lines.length * ROW.exit + 6;
  if (state.children.length === 0 || isAttempt(state)) return { id: state.path, width, height };
  return {
    id: state.path,
    layoutOptions: {
      'elk.padding': `[top=${height + 6},left=12,bottom=12,right=12]`,
      'elk.nodeSize.constraints': 'MINIMUM_SIZE',
      'elk.nodeSize.minimum': `(${width}, ${height})`,
    },
    children: state.children.map((child) => toNode(child, exits)),
  };
}

const nodesOf = ({ children = [] }: ElkNode): readonly ElkNode[] =>
  children.flatMap((child) => [child, ...nodesOf(child)]);

type Box = ChartState['box'];

const boxOf = ({ x = 0, y = 0, width = 0, height = 0 }: ElkNode): Box => [
  ...([round(x), round(y)] as const),
  ...([round(width), round(height)] as const),
];

const round = (value: number): number => Math.round(value * 2) / 2;

interface Placing {
  readonly states: readonly ReadState[];
  readonly boxes: ReadonlyMap<string, Box>;
  readonly exits: Exits;
}

function placeState(state: ReadState, { states, boxes, exits }: Placing): ChartState {
  const { path, name, description, isTransient, isInitial } = state;
  const parent = flatten(states).find(({ children }) => children.includes(state));
  const isChip = parent !== undefined && isAttempt(parent);
  const isGroup = state.children.length > 0 && !isAttempt(state);
  const box = isChip ? chipBox(state, parent, boxes.get(parent.path)) : boxes.get(path);
  if (!box) throw new Error(`the state ${path} has no place`);
  return {
    ...{ path, name, box, description, isTransient, isInitial, deadline: deadlineOf(state) },
    shape: isChip ? 'chip' : isGroup ? 'group' : 'box',
    exits: exits.get(path) ?? [],
  };
}

function chipBox(state: ReadState, parent: ReadState, box: Box = [0, 0, 0, 0]): Box {
  const [first] = parent.children;
  const width = CHIP[state.name as keyof typeof CHIP];
  const before = first === state ? 0 : CHIP[first?.name as keyof typeof CHIP] + CHIP.gap;
  return [box[0] + PAD + before, box[1] + ROW.name, width, ROW.chip];
}

type Point = readonly [x: number, y: number];

type Drawn = Pick<ChartArrow, 'd' | 'label' | 'at' | 'isLeft'>;

function drawEdge(edge: ElkExtendedEdge | undefined): Drawn {
  const [section] = edge?.sections ?? [];
  const [label] = edge?.labels ?? [];
  if (!section || !label) throw new Error(`an arrow has no way: ${JSON.stringify(edge)}`);
  const points = [section.startPoint, ...(section.bendPoints ?? []), section.endPoint];
  const { x = 0, y = 0, width = 0, height = 0 } = label;
  const isLeft = isLeftOf(points, x + width / 2, y + height / 2);
  return {
    d: pathOf(points.map((point) => [round(point.x), round(point.y)])),
    label: (label.text ?? '').split('\n'),
    at: [round(isLeft ? x + width : x), round(y)],
    isLeft,
  };
}

/** Does the part of the way that passes by this point pass it on the right? */
function isLeftOf(points: readonly ElkPoint[], x: number, y: number): boolean {
  const passing = points.flatMap((point, index) => {
    const next = points[index + 1];
    const isBeside = next && Math.min(point.y, next.y) <= y && y <= Math.max(point.y, next.y);
    return isBeside ? [(point.x + next.x) / 2] : [];
  });
  const [nearest] = passing.toSorted((a, b) => Math.abs(a - x) - Math.abs(b - x));
  return nearest !== undefined && nearest > x;
}

const CORNER = 6;

/** Straight lines with round corners. */
function pathOf(points: readonly Point[]): string {
  return points
    .map((point, index) => {
      const [before, after] = [points[index - 1], points[index + 1]];
      if (!before) return `M${point.join(' ')}`;
      if (!after) return `L${point.join(' ')}`;
      const [enter, leave] = [towards(point, before), towards(point, after)];
      return `L${enter.join(' ')}Q${point.join(' ')} ${leave.join(' ')}`;
    })
    .join('');
}

function towards([x, y]: Point, [otherX, otherY]: Point): Point {
  const length = Math.hypot(otherX - x, otherY - y) || 1;
  const part = Math.min(CORNER, length / 2) / length;
  return [round(x + (otherX - x) * part), round(y + (otherY - y) * part)];
}

/** Between the chips, one way above the other. */
function drawLoops({ loops }: Chosen, states: readonly ChartState[]): readonly ChartArrow[] {
  return loops.map(({ from, to, of }) => {
    const [start, end] = [from, to].map((path) => states.find((one) => one.path === path)?.box);
    if (!start || !end) throw new Error(`there is no way from ${from} to ${to}`);
    const isBack = start[0] > end[0];
    const y = start[1] + (isBack ? (ROW.chip * 2) / 3 : ROW.chip / 3);
    const d = isBack
      ? `M${start[0]} ${y}L${end[0] + end[2]} ${y}`
      : `M${start[0] + start[2]} ${y}L${end[0]} ${y}`;
    return { from, to, of, d, label: [], at: [0, 0], isLeft: false };
  });
}
