import type { ChartTransition } from '../../../web/src/chart/types.ts';
import type { ReadRegion, ReadState } from './read.ts';

/** All ways from one box to another. */
export interface Pair {
  readonly from: string;
  readonly to: string;
  readonly of: readonly number[];
}

export interface Chosen {
  readonly arrows: readonly Pair[];
  readonly exits: readonly Pair[];
  /** Between the two chips of an attempt, by the box that has them. */
  readonly loops: readonly Pair[];
}

/** A state that so many others lead to has no arrow from each of them. */
const HUB_MIN = 4;

const ATTEMPT: readonly string[] = ['performing', 'pausing'];

/** One call and the pause before it is made again: a box with two chips, and no more. */
export const isAttempt = ({ children }: ReadState): boolean =>
  children.length === ATTEMPT.length &&
  children.every(({ name, children: inner }) => ATTEMPT.includes(name) && inner.length === 0);

export const flatten = (states: readonly ReadState[]): readonly ReadState[] =>
  states.flatMap((state) => [state, ...flatten(state.children)]);

/**
 * Which ways are drawn as arrows: the story of a region, from its beginning to wherever it can lead,
 * and all that is answered to its calls. What nearly every state has (a failure, a deletion, an
 * observation) would hide that, and is written into the boxes.
 */
export function choose({ states, transitions }: ReadRegion): Chosen {
  const all = flatten(states);
  const chips = new Map(
    all.filter(isAttempt).flatMap(({ path, children }) => children.map((one) => [one.path, path])),
  );
  const boxOf = (path: string): string => chips.get(path) ?? path;
  const pairs = new Map<string, { from: string; to: string; of: number[] }>();
  const loops = new Map<string, { from: string; to: string; of: number[] }>();
  for (const [index, { from, to }] of transitions.entries()) {
    if (to === null) continue;
    const isLoop = chips.has(to) && boxOf(from) === boxOf(to) && from !== to;
    // Whatever calls for another attempt leads from the one chip to the other.
    const [start, end] = isLoop ? [startOf(from, to), to] : [boxOf(from), boxOf(to)];
    const known = isLoop ? loops : pairs;
    const pair = known.get(`${start} ${end}`) ?? { from: start, to: end, of: [] };
    known.set(`${start} ${end}`, pair);
    pair.of.push(index);
  }
  const sorted = [...pairs.values()].map((pair) => ({
    ...pair,
    of: pair.of.toSorted((a, b) => rankOf(transitions[a]) - rankOf(transitions[b])),
  }));
  const isArrow = createArrowTest(all, sorted, transitions);
  return {
    arrows: sorted.filter(isArrow),
    exits: sorted.filter((pair) => !isArrow(pair)),
    loops: [...loops.values()],
  };
}

const startOf = (from: string, to: string): string =>
  ATTEMPT.includes(from.split('.').at(-1) ?? '')
    ? from
    : to.replace(/\w+$/, (name) => ATTEMPT.find((other) => other !== name) ?? name);

function createArrowTest(
  all: readonly ReadState[],
  pairs: readonly Pair[],
  transitions: readonly ChartTransition[],
): (pair: Pair) => boolean {
  const story = findStory(all, pairs, transitions);
  const beginning = beginningOf(all);
  const isInside = (path: string, outer: string) => `${path}.`.startsWith(`${outer}.`);
  const isHub = (to: string) =>
    pairs.filter((pair) => pair.to === to && !isInside(pair.from, to)).length >= HUB_MIN;
  return (pair) => {
    // The whole region is no box, and what comes back to where it was leads nowhere.
    if (pair.from === '' || pair.from === pair.to) return false;
    if (story.has(pair)) return true;
    const rank = bestOf(pair, transitions);
    if (!isHub(pair.to)) return rank !== RANKS.observation;
    // Back to the beginning: the end of every story, and of no interest as a line.
    return rank === RANKS.answer && pair.to !== beginning;
  };
}

/** From the initial state on, each state by the way that leads to it first. */
function findStory(
  all: readonly ReadState[],
  pairs: readonly Pair[],
  transitions: readonly ChartTransition[],
): ReadonlySet<Pair> {
  const seen = new Set<string>();
  const story = new Set<Pair>();
  const byPath = new Map(all.map((state) => [state.path, state]));
  const ranked = pairs.toSorted((a, b) => bestOf(a, transitions) - bestOf(b, transitions));

  function visit(path: string): void {
    const state = byPath.get(path);
    if (!state || seen.has(path)) return;
    seen.add(path);
    const first = state.children.find(({ isInitial }) => isInitial);
    if (first && !isAttempt(state)) visit(first.path);
    for (const pair of ranked.filter(({ from }) => from === path)) {
      if (seen.has(pair.to)) continue;
      story.add(pair);
      visit(pair.to);
    }
    visit(path.split('.').slice(0, -1).join('.'));
  }

  visit(beginningOf(all));
  return story;
}

const beginningOf = (all: readonly ReadState[]): string =>
  all.find(({ isInitial, path }) => isInitial && !path.includes('.'))?.path ?? '';

const bestOf = ({ of }: Pair, transitions: readonly ChartTransition[]): number =>
  Math.min(...of.map((index) => rankOf(transitions[index])));

/** What is told first: the answer that was waited for, and last what went wrong. */
const RANKS = {
  answer: 0,
  condition: 1,
  wish: 2,
  observation: 3,
  failure: 4,
  deadline: 5,
} as const;
const OBSERVATION = /\.(observed|reported|lost)$/;

function rankOf(transition: ChartTransition | undefined): number {
  const { kind, on } = transition ?? {};
  if (kind === undefined || kind !== 'event') return RANKS[kind ?? 'deadline'];
  if (on === 'effect.failed') return RANKS.failure;
  return OBSERVATION.test(on ?? '') ? RANKS.observation : RANKS.answer;
}
