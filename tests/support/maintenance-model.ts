import type { AnyStateMachine } from 'xstate';

import type { InstanceContext } from '../../src/machines/instance/types.ts';
import {
  type AnyEvent,
  type InstanceSnapshot,
  isEntitlementEvent,
  isPlain,
  sampleInput,
  worldEvents,
} from './instance-model.ts';
import type { Model } from './model.ts';

const ENDS = {
  create: ['backup.made'],
  halt: ['game.found_running', 'game.halted'],
  restore: ['backup.restored'],
  resume: ['game.resumed'],
  verify: ['backup.verified'],
  delete: ['backup.deleted'],
} as const;
const WISHES = ['backup', 'restore', 'verify', 'backup_deletion'];

/** What is wished of backups, and what becomes of the call in flight. */
export function maintenanceEvents({ ops: { backup } }: InstanceContext) {
  const wish = { operationId: 'op-4', requestedBy: 'c-1', backupId: 'b-1', at: 2 };
  const failed = { type: 'effect.failed', message: 'x', at: 2, opId: backup?.id ?? '' };
  const stale = Object.values(ENDS)
    .flat()
    .map((type) => ({ type, opId: 'stale', backupId: 'b-2', at: 2 }));
  const wishes = WISHES.map((noun) => ({ type: `${noun}.requested`, ...wish }));
  const always = [...wishes, ...stale, { type: 'game_stop.requested', at: 2 }];
  if (!backup) return always;
  return [
    ...always,
    ...ENDS[backup.kind].map((type) => ({ type, opId: backup.id, backupId: 'b-1', at: 2 })),
    { ...failed, code: 'x', retryable: true },
    { ...failed, code: 'x', retryable: false },
    { ...failed, code: 'verify_unsupported', retryable: false },
    ...(backup.kind === 'resume' ? [{ ...failed, code: 'game_crashed', retryable: false }] : []),
  ];
}

/** The container is started for the sake of its game, and Proxmox says no. */
const isOfOwedStart = (event: AnyEvent, { ops: { host }, hostOperation }: InstanceContext) =>
  hostOperation?.requestedBy === 'maintenance' &&
  host !== null &&
  event['opId'] === host.id &&
  (event.type === 'host.observed' ||
    (event.type === 'effect.failed' && event['retryable'] === false));

/**
 * Whatever can happen to backups, of a container that does as it is told: that is on, is turned off
 * or lost outside, is not paid for, or is deleted.
 */
export function maintenanceModel(machine: AnyStateMachine): Model<InstanceSnapshot> {
  return {
    machine,
    input: sampleInput(),
    events: (snapshot) =>
      snapshot.hasTag('archived')
        ? []
        : [
            ...maintenanceEvents(snapshot.context),
            ...worldEvents(snapshot).filter(
              (event) =>
                isEntitlementEvent(event) ||
                isPlain(event, snapshot.context) ||
                (event.type === 'agent.observed' && event['condition'] === 'crashed') ||
                (event.type === 'host.observed' && event['opId'] === null) ||
                isOfOwedStart(event, snapshot.context) ||
                /^xstate\.after.*instance\.maintenance\./.test(event.type),
            ),
          ],
    key: ({ value, context: { ops, hostOperation, maintenance, entitlement } }) => {
      const { operation, wasRunning, attempts } = maintenance;
      const isBusy = value.maintenance !== 'idle';
      const isRunning = operation?.state === 'running';
      return JSON.stringify([
        ...[value.provisioning, value.host, value.agent, value.recovery],
        ...[value.entitlement, value.maintenance],
        ...[ops.host?.kind, ops.agent?.kind, ops.backup?.kind, hostOperation?.state],
        // What the region does depends on these while it does something.
        isRunning && [operation.kind, operation.error !== null],
        isBusy && [wasRunning, Math.min(attempts, 5)],
        entitlement.suspendedAt === null,
      ]);
    },
  };
}
