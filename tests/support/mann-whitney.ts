/**
 * How probable it is that two samples of one distribution differ as much as these do, by the
 * Mann–Whitney U test with the normal approximation (two-sided; ties share their ranks). It looks
 * at ranks alone, so a few answers that a busy machine held up say no more than any other.
 */
export function pOfSameDistribution(a: readonly number[], b: readonly number[]): number {
  const all = [
    ...a.map((value) => [value, true] as const),
    ...b.map((value) => [value, false] as const),
  ];
  const sorted = all.sort(([left], [right]) => left - right);
  let rankSum = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to < sorted.length && sorted[to]?.[0] === sorted[from]?.[0]) to += 1;
    const rank = (from + 1 + to) / 2;
    rankSum += rank * sorted.slice(from, to).filter(([, isOfA]) => isOfA).length;
    from = to;
  }
  const u = rankSum - (a.length * (a.length + 1)) / 2;
  const mean = (a.length * b.length) / 2;
  const deviation = Math.sqrt((a.length * b.length * (a.length + b.length + 1)) / 12);
  return complementaryError(Math.abs(u - mean) / deviation / Math.SQRT2);
}

/** Abramowitz and Stegun 7.1.26, for x ≥ 0: right to 1.5e-7. */
function complementaryError(x: number): number {
  const t = 1 / (1 + 0.327_591_1 * x);
  const factors = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
  return factors.reduce((sum, factor) => sum * t + factor, 0) * t * Math.exp(-x * x);
}
