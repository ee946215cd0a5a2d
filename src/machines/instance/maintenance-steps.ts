import type { BackupOpKind, MaintenanceKind, MaintenanceOperation } from './maintenance-types.ts';
import { instanceSetup } from './setup.ts';
import { atOf, failureOf, opOf } from './steps.ts';
import type { Effect, InstanceContext, InstanceEvent } from './types.ts';

/** The building blocks of the maintenance region. */

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

const begun = (kind: MaintenanceKind, step: BackupOpKind, event: InstanceEvent) =>
  'operationId' in event
    ? {
        id: event.operationId,
        kind,
        state: 'running' as const,
        requestedBy: event.requestedBy,
        acceptedAt: event.at,
        finishedAt: null,
        step,
        backupId: 'backupId' in event ? event.backupId : null,
        error: null,
      }
    : null;

/** A wish becomes the operation that its sender can follow. */
export const acceptMaintenance = (kind: MaintenanceKind, step: BackupOpKind) =>
  instanceSetup.assign({
    maintenance: ({ context, event }) => ({
      operation: begun(kind, step, event) ?? context.maintenance.operation,
      wasRunning: context.maintenance.wasRunning,
      attempts: 0,
    }),
  });

const moved = (
  { maintenance }: InstanceContext,
  change: Partial<MaintenanceOperation>,
): InstanceContext['maintenance'] => ({
  ...maintenance,
  operation: maintenance.operation && { ...maintenance.operation, ...change },
});

export const nextStep = (step: BackupOpKind) =>
  instanceSetup.assign({
    maintenance: ({ context }) => ({ ...moved(context, { step }), attempts: 0 }),
  });

/** Takes the lane of backups and asks a worker to make the call. */
export const beginBackupOp = (step: BackupOpKind) =>
  [
    instanceSetup.assign({
      opSeq: ({ context }) => context.opSeq + 1,
      ops: ({ context, event }) => ({ ...context.ops, backup: opOf(context, step, event) }),
      maintenance: ({ context: { maintenance } }) => ({
        ...maintenance,
        attempts: maintenance.attempts + 1,
      }),
    }),
    {
      type: 'effect',
      params: ({ context }: { context: InstanceContext }) => ({
        effect: {
          kind: `backup.${step}`,
          opId: context.ops.backup?.id ?? '',
          vmid: context.vmid,
          id: context.id,
          ip: context.ip ?? '',
          ...subjectOf(step, context.maintenance.operation),
        } as unknown as Effect,
      }),
    },
  ] as const;

const subjectOf = (step: BackupOpKind, operation: MaintenanceOperation | null) => ({
  operationId: operation?.id ?? '',
  ...(step !== 'create' && step !== 'resume' && { backupId: operation?.backupId ?? '' }),
});

export const releaseBackupLane = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, backup: null }),
});

export const rememberRunning = instanceSetup.assign({
  maintenance: ({ context: { maintenance } }) => ({ ...maintenance, wasRunning: true }),
});

/** It runs again, or nobody wants it to. */
export const forgetGame = instanceSetup.assign({
  maintenance: ({ context: { maintenance } }) => ({ ...maintenance, wasRunning: false }),
});

export const resetOwedStarts = instanceSetup.assign({
  maintenance: ({ context: { maintenance } }) => ({ ...maintenance, attempts: 0 }),
});

export const countOwedStart = instanceSetup.assign({
  maintenance: ({ context: { maintenance } }) => ({
    ...maintenance,
    attempts: maintenance.attempts + 1,
  }),
});

export const rememberBackup = instanceSetup.assign({
  maintenance: ({ context, event }) =>
    event.type === 'backup.made'
      ? moved(context, { backupId: event.backupId })
      : context.maintenance,
});

/** What is noted first stays: what comes of putting things back is not the reason. */
export const noteMaintenanceFailure = instanceSetup.assign({
  maintenance: ({ context, event }: Scope) => {
    const { operation } = context.maintenance;
    return moved(context, {
      error: operation?.error ?? failureOf(operation?.step ?? 'maintenance', event),
    });
  },
});

/** Well, unless something was noted on the way. */
export const endMaintenance = [
  releaseBackupLane,
  instanceSetup.assign({
    maintenance: ({ context, event }) =>
      moved(context, {
        state: context.maintenance.operation?.error ? 'failed' : 'succeeded',
        finishedAt: atOf(event),
      }),
  }),
] as const;

export const failMaintenance = [noteMaintenanceFailure, ...endMaintenance] as const;

const abandoned = (state: 'failed' | 'superseded', code: string, message: string) =>
  [
    releaseBackupLane,
    instanceSetup.assign({
      maintenance: ({ context, event }) => {
        const { operation } = context.maintenance;
        const error = operation?.error ?? { step: operation?.step ?? 'maintenance', code, message };
        return moved(context, { state, finishedAt: atOf(event), error });
      },
    }),
  ] as const;

/** Nobody can be asked any more: a container that starts again starts its game by itself. */
export const abandonMaintenance = abandoned(
  'failed',
  'container_stopped',
  'the container is not running any more',
);

/** A deletion takes the place of everything else. */
export const supersedeMaintenance = abandoned(
  'superseded',
  'deletion_in_progress',
  'the container is being deleted',
);
