import type { InstanceSnapshot } from '../support/instance-model.ts';

/** Somebody works on its backups, so nobody else touches its power. */
export const isMaintained = ({ context }: InstanceSnapshot): boolean =>
  context.maintenance.operation?.state === 'running';

const stateOf = ({ value: { maintenance } }: InstanceSnapshot): string =>
  typeof maintenance === 'string' ? maintenance : (Object.keys(maintenance)[0] ?? '');

const isPerforming = ({ value: { maintenance } }: InstanceSnapshot): boolean =>
  typeof maintenance === 'object' && Object.values(maintenance)[0] === 'performing';

const isDeleting = ({ value: { provisioning } }: InstanceSnapshot): boolean =>
  typeof provisioning === 'object' ? 'deleting' in provisioning : provisioning === 'deleted';

/** What must hold in every state, of backups. */
export const MAINTENANCE_INVARIANTS: Readonly<Record<string, (s: InstanceSnapshot) => boolean>> = {
  'INV-60 a call about backups is in flight exactly while a state performs it': (s) =>
    (s.context.ops.backup !== null) === isPerforming(s),
  'INV-61 an operation on backups runs exactly while the region works': (s) =>
    isMaintained(s) === !['idle', 'owing'].includes(stateOf(s)),
  'INV-62 while backups are worked on nobody changes power': (s) =>
    !isMaintained(s) || s.value.host === 'running' || s.matches({ host: 'unknown' }),
  'INV-63 an operation on backups that has ended says when, and why if it failed': (s) => {
    const { operation: one } = s.context.maintenance;
    return (
      !one ||
      ((one.finishedAt === null) === (one.state === 'running') &&
        (one.state !== 'failed' || one.error !== null) &&
        (one.state !== 'succeeded' || one.error === null))
    );
  },
  'INV-64 a deletion ends whatever is done to backups': (s) => !isDeleting(s) || !isMaintained(s),
  'INV-72 at rest no game is owed its start': (s) =>
    stateOf(s) !== 'idle' || !s.context.maintenance.wasRunning,
  'INV-73 recovery and maintenance never see to the same game at once': (s) =>
    s.context.ops.agent?.kind !== 'restart' || stateOf(s) === 'idle',
};

/** A game that was stopped for a restoration is still being seen to. */
export const isGameOwed = (s: InstanceSnapshot): boolean =>
  s.context.maintenance.wasRunning && stateOf(s) !== 'idle';
