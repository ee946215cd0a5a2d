import { defineConfig } from 'vitest/config';
import { COMPILED } from './lab/compiled.ts';
import { LongestFirst } from './tests/support/longest-first.ts';

// Of the workers, and of all that they start with an environment like their own.
process.env['NODE_COMPILE_CACHE'] ??= COMPILED;

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/support/global-setup.ts'],
    // Most tests wait for other processes: three files at a time keep two cores busy.
    maxWorkers: 3,
    // No file changes what another one imports, and importing it again costs more than most tests.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Those that are told to run side by side mostly wait for pauses between attempts.
    maxConcurrency: 5,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
