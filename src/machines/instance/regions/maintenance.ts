import { and } from 'xstate';

import {
  abandonMaintenance,
  acceptMaintenance,
  beginBackupOp,
  countOwedStart,
  endMaintenance,
  failMaintenance,
  forgetGame,
  nextStep,
  noteMaintenanceFailure,
  releaseBackupLane,
  rememberBackup,
  rememberRunning,
  resetOwedStarts,
  supersedeMaintenance,
} from '../maintenance-steps.ts';
import type { BackupOpKind } from '../maintenance-types.ts';
import { instanceSetup } from '../setup.ts';

const rests = '#instance.maintenance.idle';
const repeats = { guard: 'mayRepeatBackup', target: '.pausing' } as const;
/** A deletion always wins; and of a container that is off no agent can be asked. */
const doomed = {
  guard: 'isDoomed',
  target: rests,
  actions: supersedeMaintenance,
} as const;
const gone = [
  doomed,
  {
    guard: 'isLostMeanwhile',
    target: '#instance.maintenance.owing.unpowered',
    actions: abandonMaintenance,
  },
  { guard: 'isHostDown', target: rests, actions: abandonMaintenance },
] as const;

/** The operation has ended, and what it owes the game has not. */
const owes = { target: '#instance.maintenance.owing.pausing', actions: failMaintenance } as const;
const ends = [
  { guard: 'mustResumeGame', ...owes, actions: endMaintenance },
  { guard: 'isBackupOp', target: rests, actions: endMaintenance },
] as const;
const fails = [
  { guard: 'mustResumeGame', ...owes },
  { guard: 'isBackupOp', target: rests, actions: failMaintenance },
] as const;
/** At the deadline there is no answer that a call could be known by. */
const gaveUp = [
  { guard: 'wasGameRunning', ...owes },
  { target: rests, actions: failMaintenance },
] as const;

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
const putBack = [{ guard: 'wasGameRunning', ...resumes }, gaveUp[1]] as const;
/** It was started and has died: that is a matter of recovery. */
const handedOver = {
  guard: 'isGameCrashed',
  target: rests,
  actions: failMaintenance,
} as const;

const wishes = {
  'backup.requested': {
    guard: 'mayMaintain',
    target: '#instance.maintenance.backingUp',
    actions: acceptMaintenance('backup', 'create'),
  },
  'restore.requested': {
    guard: 'mayMaintain',
    target: '#instance.maintenance.halting',
    actions: acceptMaintenance('restore', 'halt'),
  },
  'verify.requested': {
    guard: 'mayMaintain',
    target: '#instance.maintenance.verifying',
    actions: acceptMaintenance('verify', 'verify'),
  },
  'backup_deletion.requested': {
    guard: 'mayMaintain',
    target: '#instance.maintenance.deleting',
    actions: acceptMaintenance('backup_deletion', 'delete'),
  },
} as const;

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
      entry: forgetGame,
      on: wishes,
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
        'effect.failed': [repeats, ...fails],
      },
      after: { backupDeadline: gaveUp },
    },
    verifying: {
      description: 'A backup is compared with its checksum',
      ...calling('verify'),
      on: {
        'backup.verified': ends,
        'effect.failed': [
          { ...ends[0], guard: and(['isMadeUnverifiable', 'wasGameRunning']) },
          { ...ends[1], guard: 'isMadeUnverifiable' },
          repeats,
          ...fails,
        ],
      },
      after: { backupDeadline: gaveUp },
    },
    deleting: {
      description: 'A backup is being deleted',
      ...calling('delete'),
      on: {
        'backup.deleted': ends,
        'effect.failed': [repeats, ...fails],
      },
      after: { gameDeadline: gaveUp },
    },
    halting: {
      description: 'To restore a backup, the game is stopped',
      ...calling('halt'),
      on: {
        'game.found_running': { guard: 'isBackupOp', actions: rememberRunning },
        'game.halted': { guard: 'isBackupOp', target: 'restoring', actions: proceed('restore') },
        'effect.failed': [repeats, failsToResume, fails[1]],
      },
      after: { gameDeadline: putBack },
    },
    restoring: {
      description: 'The files of a backup take the place of the present ones',
      ...calling('restore'),
      on: {
        'backup.restored': [
          { guard: 'mustResumeGame', target: 'resuming', actions: proceed('resume') },
          ends[1],
        ],
        'effect.failed': [repeats, failsToResume, fails[1]],
      },
      after: { backupDeadline: putBack },
    },
    resuming: {
      description: 'The game is started again, because it ran before',
      ...calling('resume'),
      on: {
        'game.resumed': ends[1],
        'effect.failed': [handedOver, repeats, { guard: 'isBackupOp', ...owes }],
      },
      after: { gameDeadline: owes },
    },
    owing: {
      description: 'The operation has ended, and the game does not run again yet',
      initial: 'pausing',
      always: [
        { guard: 'isDoomed', target: 'idle' },
        { guard: 'isNothingOwed', target: 'idle' },
      ],
      on: { 'game_stop.requested': 'idle' },
      exit: releaseBackupLane,
      states: {
        pausing: {
          description: 'Its agent is asked again in a while',
          entry: releaseBackupLane,
          always: { guard: 'isHostDown', target: rests },
          on: wishes,
          after: {
            owedPause: [
              { guard: 'isGameReachable', target: 'performing' },
              { target: 'pausing', reenter: true },
            ],
          },
        },
        performing: {
          description: 'Its agent is asked to start the game',
          tags: 'transient',
          entry: beginBackupOp('resume'),
          always: { guard: 'isHostDown', target: rests },
          on: {
            'game.resumed': { guard: 'isBackupOp', target: rests },
            'effect.failed': [
              { guard: 'isGameCrashed', target: rests },
              { guard: 'isBackupOp', target: 'pausing' },
            ],
          },
          after: { gameDeadline: 'pausing' },
        },
        unpowered: {
          description: 'The container went off meanwhile: it is started first',
          entry: resetOwedStarts,
          exit: resetOwedStarts,
          always: { guard: 'isHostRunning', target: 'pausing' },
          initial: 'due',
          states: {
            due: {
              description: 'The host region starts it as soon as it may',
              entry: countOwedStart,
              always: { guard: 'isHostStarting', target: 'starting' },
            },
            starting: {
              description: 'It is being started',
              always: [
                { guard: 'mayStartOwedAgain', target: 'pausing' },
                { guard: 'isHostStopped', target: rests },
              ],
            },
            pausing: {
              description: 'It could not be started, and is once more in a while',
              after: { owedPause: 'due' },
            },
          },
        },
      },
    },
  },
});
