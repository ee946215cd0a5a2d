import type { Line } from './state.ts';

interface Change {
  /** In cents a period. */
  readonly from: { readonly price: string; readonly amount: number; readonly name: string };
  readonly to: { readonly price: string; readonly amount: number; readonly name: string };
  readonly periodStart: number;
  readonly periodEnd: number;
  readonly at: number;
}

/** What has been paid and is not used is given back, what is used from now on is charged. */
export function prorate(change: Change, newId: () => string): readonly Line[] {
  const { from, to, periodStart, periodEnd, at } = change;
  const share = (periodEnd - at) / (periodEnd - periodStart);
  const after = `after ${new Date(at * 1000).toISOString().slice(0, 10)}`;
  const rest = { start: at, end: periodEnd, isProration: true };
  return [
    {
      id: newId(),
      // Rounded as an amount and then given back, so that there and back again costs nothing.
      amount: -Math.round(from.amount * share),
      description: `Unused time on ${from.name} ${after}`,
      price: from.price,
      ...rest,
    },
    {
      id: newId(),
      amount: Math.round(to.amount * share),
      description: `Remaining time on ${to.name} ${after}`,
      price: to.price,
      ...rest,
    },
  ];
}
