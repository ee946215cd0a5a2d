import type { InstanceContext, InstanceEvent } from './types.ts';

/** Attempts of one call before the operation fails. */
export const MAINTENANCE_ATTEMPTS_MAX = 5;
/** Starts of a container for the sake of its game. Each is repeated until its own deadline. */
const OWED_STARTS_MAX = 3;

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
  /** It was started, as it was owed, and has died since. */
  isGameCrashed: ({ context, event }: Scope) =>
    event.type === 'effect.failed' &&
    event.opId === context.ops.backup?.id &&
    event.code === 'game_crashed',
  hasOwedStartsLeft: ({ context }: Scope) => context.maintenance.attempts < OWED_STARTS_MAX,
  hasAddress: ({ context }: Scope) => context.ip !== null,
  wasGameRunning: ({ context }: Scope) => context.maintenance.wasRunning,
};
