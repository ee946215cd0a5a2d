/** Columns as wide as they need to be; the first is flush left, the others are numbers. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const toLine = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join(' | ');
  const rule = widths.map((width) => '-'.repeat(width)).join('-|-');
  return [toLine(head), rule, ...rows.map(toLine)].join('\n');
}

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export const count = (value: number): string =>
  Math.round(value).toLocaleString('en-US', { maximumFractionDigits: 0 });

export const fixed = (value: number, digits = 1): string => value.toFixed(digits);

/** The median, and the least and greatest when there are several. */
export function spread(values: readonly number[], format: (value: number) => string): string {
  const middle = format(medianOf(values));
  if (values.length < 2) return middle;
  return `${middle} (${format(Math.min(...values))}–${format(Math.max(...values))})`;
}
