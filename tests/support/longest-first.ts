import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, the longest first: begun last, one of them would keep one core alone.
 * What works and what waits take turns.
 */
const LONGEST = [
  'e2e/crash-storms',
  'lab/services',
  'e2e/edge-faults',
  'e2e/crash-checkpoints',
  'e2e/lab',
  'browser/console-page',
  'e2e/billing-storm',
  'e2e/crash-backups',
  'machines/instance-model',
  'browser/ide-code-server',
  'e2e/crash-power',
  'e2e/crash-edge',
  'e2e/backups',
  'e2e/edge',
  'browser/machine-page',
  'http/event-limits',
  'http/files-memory',
  'http/host-faults',
  'e2e/billing',
  'http/events',
  'lab/agent-games',
  'http/files',
  'http/authorisation',
  'e2e/drift',
  'http/auth-timing',
  'e2e/console-fanout',
  'machines/equality',
];

const rank = ({ moduleId }: TestSpecification): number => {
  const found = LONGEST.findIndex((name) => moduleId.endsWith(`/tests/${name}.test.ts`));
  return found === -1 ? LONGEST.length : found;
};

/** The rest in the order of their names, so that every run is in the same one. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => rank(a) - rank(b) || (a.moduleId < b.moduleId ? -1 : 1));
  }
}
