import type { InstanceContext, InstanceEvent } from './types.ts';

/** Attempts of one call before the operation fails. */
export const MAINTENANCE_ATTEMPTS_MAX = 5;

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

const opIdOf = (event: InstanceEvent) => ('opId' in event ? event.opId : null);

/** Guards that look at the maintenance of an instance and at nothing else. */
export const MAINTENANCE_RULES = {
  isBackupOp: ({ context, event }: Scope) =>
    context.ops.backup !== null && context.ops.backup.id === opIdOf(event),
  mayRepeatBackup: ({ context, event }: Scope) =>
    event.type === 'effect.failed' &&
    event.retryable &&
    event.opId === context.ops.backup?.id &&
    context.maintenance.attempts < MAINTENANCE_ATTEMPTS_MAX,
  isUnmaintained: ({ context }: Scope) => context.maintenance.operation?.state !== 'running',
  /** Backups of this agent cannot be compared with a checksum: what it has made is not worse for it. */
  isMadeUnverifiable: ({ context, event }: Scope) =>
    event.type === 'effect.failed' &&
    event.opId === context.ops.backup?.id &&
    event.code === 'verify_unsupported' &&
    context.maintenance.operation?.kind === 'backup',
  /** One start that has failed is enough: nobody is helped by another one. */
  mayStartOwed: ({ context: { hostOperation: last } }: Scope) =>
    last?.requestedBy !== 'maintenance' || last.state !== 'failed',
  hasAddress: ({ context }: Scope) => context.ip !== null,
  wasGameRunning: ({ context }: Scope) => context.maintenance.wasRunning,
};
