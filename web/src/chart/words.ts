import type { ChartRegion, ChartTransition } from './types.ts';

/** A transition in full, as one line. */
export function wordsOf({ kind, on, guard, lasts, to }: ChartTransition): string {
  const deadline = `after ${on}${lasts === null ? '' : ` (${lasts})`}`;
  const what = kind === 'deadline' ? deadline : (on ?? 'as soon as');
  const when = guard === null ? '' : kind === 'condition' ? ` ${guard}` : `, if ${guard}`;
  return `${what}${when} → ${to ?? 'stays'}`;
}

export const waysOf = ({ transitions }: ChartRegion, of: readonly number[]): string =>
  of
    .flatMap((index) => transitions[index] ?? [])
    .map(wordsOf)
    .join('\n');
