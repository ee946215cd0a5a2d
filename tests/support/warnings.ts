import { afterAll, beforeAll, expect } from 'vitest';

/**
 * Fails the file that says so if Node warns of anything while its tests run: of listeners that add
 * up on a socket above all. @returns what it has warned of so far
 */
export function failOnWarnings(): readonly Error[] {
  const warnings: Error[] = [];
  const keep = (warning: Error) => void warnings.push(warning);
  beforeAll(() => void process.on('warning', keep));
  afterAll(() => {
    process.off('warning', keep);
    expect(warnings).toEqual([]);
  });
  return warnings;
}
