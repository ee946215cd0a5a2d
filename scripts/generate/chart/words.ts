import type { ChartTransition } from '../../../web/src/chart/types.ts';

const LINE_MAX = 34;
const LINES_MAX = 4;

const cut = (text: string, max = LINE_MAX): string =>
  text.length > max ? `${text.slice(0, max - 1).trimEnd()}…` : text;

const deadlineOf = ({ on, lasts }: ChartTransition): string => `after ${lasts ?? on}`;

/** On an arrow: what it takes, and what must hold. */
export function labelOf(ways: readonly ChartTransition[]): readonly string[] {
  const lines = ways.map((way) => {
    const guard = way.guard === null ? '' : `[${way.guard}]`;
    const on = way.kind === 'deadline' ? deadlineOf(way) : (way.on ?? '');
    return cut(`${on} ${guard}`.trim());
  });
  const known = [...new Set(lines)];
  return known.length <= LINES_MAX ? known : [...known.slice(0, LINES_MAX - 1), '…'];
}

/** In a box: where it leads, and by what. */
export function exitOf(to: string, ways: readonly ChartTransition[], isAgain: boolean): string {
  const names = ways.map((way) => {
    if (way.kind === 'deadline') return deadlineOf(way);
    return way.on ?? `[${way.guard}]`;
  });
  return cut(`${isAgain ? 'again' : `→ ${to}`}: ${[...new Set(names)].join(', ')}`, LINE_MAX + 4);
}
