import { and } from 'xstate';

import {
  abandonMaintenance,
  acceptMaintenance,
  beginBackupOp,
  endMaintenance,
  failMaintenance,
  nextStep,
  noteMaintenanceFailure,
  releaseBackupLane,
  rememberBackup,
  rememberRunning,
  supersedeMaintenance,
} from '../maintenance-steps.ts';
import type { BackupOpKind } from '../maintenance-types.ts';
import { instanceSetup } from '../setup.ts';

const repeats = { guard: 'mayRepeatBackup', target: '.pausing' } as const;
/** A deletion always wins; and of a container that is off no agent can be asked. */
const doomed = {
  guard: 'isDoomed',
  target: '#instance.maintenance.idle',
  actions: supersedeMaintenance,
} as const;
const gone = [
  doomed,
  {
    guard: 'isLostMeanwhile',
    target: '#instance.maintenance.owing',
    actions: abandonMaintenance,
  },
  { guard: 'isHostDown', target: '#instance.maintenance.idle', actions: abandonMaintenance },
] as const;
const ends = { target: '#instance.maintenance.idle', actions: endMaintenance } as const;
const gaveUp = { target: '#instance.maintenance.idle', actions: failMaintenance } as const;
const fails = { guard: 'isBackupOp', ...gaveUp } as const;

/** One call to the agent, repeated with pauses until the deadline of the state around it. */
const calling = (step: BackupOpKind) =>
  ({
    tags: 'transient',
    initial: 'performing',
    always: gone,
    states: {
      performing: { entry: beginBackupOp(step) },
      pausing: { entry: releaseBackupLane, after: { maintenancePause: 'performing' } },
    },
  }) as const;

const proceed = (step: BackupOpKind) => [nextStep(step), releaseBackupLane] as const;
const resumes = {
  target: '#instance.maintenance.resuming',
  actions: [noteMaintenanceFailure, ...proceed('resume')],
} as const;
const failsToResume = { guard: 'mustResumeGame', ...resumes } as const;
/** Whatever went wrong, the game runs again if it ran before. */
const putBack = [{ guard: 'wasGameRunning', ...resumes }, gaveUp] as const;
/** The operation has ended, and what it owes has not. */
const owes = { target: '#instance.maintenance.owing', actions: failMaintenance } as const;

/**
 * Maintenance: backups are made, verified, deleted and restored, one at a time. A restoration stops
 * the game and starts it again if it ran before, also when it has failed or when its container went off. Meanwhile nobody changes
 * the power of the container.
 */
export const maintenance = instanceSetup.createStateConfig({
  initial: 'idle',
  states: {
    idle: {
      description: 'Nothing is being done to backups',
      on: {
        'backup.requested': {
          guard: 'mayMaintain',
          target: 'backingUp',
          actions: acceptMaintenance('backup', 'create'),
        },
        'restore.requested': {
          guard: 'mayMaintain',
          target: 'halting',
          actions: acceptMaintenance('restore', 'halt'),
        },
        'verify.requested': {
          guard: 'mayMaintain',
          target: 'verifying',
          actions: acceptMaintenance('verify', 'verify'),
        },
        'backup_deletion.requested': {
          guard: 'mayMaintain',
          target: 'deleting',
          actions: acceptMaintenance('backup_deletion', 'delete'),
        },
      },
    },
    backingUp: {
      description: 'A backup is being made',
      ...calling('create'),
      on: {
        'backup.made': {
          guard: 'isBackupOp',
          target: 'verifying',
          actions: [rememberBackup, ...proceed('verify')],
        },
        'effect.failed': [repeats, fails],
      },
      after: { backupDeadline: gaveUp },
    },
    verifying: {
      description: 'A backup is compared with its checksum',
      ...calling('verify'),
      on: {
        'backup.verified': { guard: 'isBackupOp', ...ends },
        'effect.failed': [{ guard: 'isMadeUnverifiable', ...ends }, repeats, fails],
      },
      after: { backupDeadline: gaveUp },
    },
    deleting: {
      description: 'A backup is being deleted',
      ...calling('delete'),
      on: {
        'backup.deleted': { guard: 'isBackupOp', ...ends },
        'effect.failed': [repeats, fails],
      },
      after: { gameDeadline: gaveUp },
    },
    halting: {
      description: 'To restore a backup, the game is stopped',
      ...calling('halt'),
      on: {
        'game.found_running': { guard: 'isBackupOp', actions: rememberRunning },
        'game.halted': { guard: 'isBackupOp', target: 'restoring', actions: proceed('restore') },
        'effect.failed': [repeats, failsToResume, fails],
      },
      after: { gameDeadline: putBack },
    },
    restoring: {
      description: 'The files of a backup take the place of the present ones',
      ...calling('restore'),
      on: {
        'backup.restored': [
          { guard: 'mustResumeGame', target: 'resuming', actions: proceed('resume') },
          { guard: 'isBackupOp', ...ends },
        ],
        'effect.failed': [repeats, failsToResume, fails],
      },
      after: { backupDeadline: putBack },
    },
    resuming: {
      description: 'The game is started again, because it ran before',
      ...calling('resume'),
      on: {
        'game.resumed': { guard: 'isBackupOp', ...ends },
        'effect.failed': [repeats, { guard: 'isBackupOp', ...owes }],
      },
      after: { gameDeadline: owes },
    },
    owing: {
      description: 'The operation has ended, and the game does not run again yet',
      initial: 'pausing',
      always: [doomed, { guard: 'isNothingOwed', target: 'idle', actions: releaseBackupLane }],
      states: {
        pausing: {
          entry: releaseBackupLane,
          after: {
            owedPause: [
              { guard: and(['isHostRunning', 'hasAddress']), target: 'performing' },
              { target: 'pausing', reenter: true },
            ],
          },
        },
        performing: {
          tags: 'transient',
          entry: beginBackupOp('resume'),
          on: { 'effect.failed': { guard: 'isBackupOp', target: 'pausing' } },
          after: { gameDeadline: 'pausing' },
        },
      },
      on: {
        'game.resumed': { guard: 'isBackupOp', target: 'idle', actions: releaseBackupLane },
      },
    },
  },
});
