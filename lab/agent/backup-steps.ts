import { type Faults, noteFired, readFaults, readFired } from './faults.ts';

type Planned = NonNullable<Faults['backups']>;

/** Every moment of a piece of work at which something may go wrong, in their order. */
export const STEPS = {
  create: ['create.begun', 'create.packed', 'create.described', 'create.archived', 'create.listed'],
  restore: [
    ...['restore.begun', 'restore.unpacked', 'restore.moved_out', 'restore.moved_in'],
    'restore.cleared',
  ],
  delete: ['delete.begun', 'delete.unlisted', 'delete.removed'],
} as const;

/** True the first time that this is planned and asked for, and never again: it leaves a record. */
export function firesOnce(root: string, fault: keyof Planned, place: string): boolean {
  if (readFaults(root).backups?.[fault] !== place) return false;
  if (readFired(root).includes(`${fault} ${place}`)) return false;
  noteFired(root, fault, place);
  return true;
}

export type PassStep = (step: string) => void;

/** The agent dies here as by `kill -9`, or finds the disk full. */
export function createPassStep(root: string): PassStep {
  return (step) => {
    if (firesOnce(root, 'dieAt', step)) process.kill(process.pid, 'SIGKILL');
    if (firesOnce(root, 'diskFullAt', step)) {
      throw Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
    }
  };
}
