import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, the longest first: begun last, one of them would keep one core alone.
 * What works and what waits take turns.
 */
const LONGEST = [
  'e2e/crash-storms',
  'machines/instance-model',
  'e2e/crash-checkpoints',
  'e2e/edge-faults',
  'e2e/backups',
  'e2e/lab',
  'e2e/billing-storm',
  'browser/console-page',
  'e2e/crash-backups',
  'browser/ide-code-server',
  'e2e/edge',
  'lab/services',
  'e2e/crash-power',
  'e2e/crash-edge',
  'e2e/console-fanout',
  'browser/machine-page',
  'e2e/billing',
  'lab/agent-games',
  'lab/agent-backups',
  'machines/maintenance-model',
  'lab/proxmox',
  'queues/poll-hosts',
  'http/events',
  'http/host',
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
