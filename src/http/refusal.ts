import { ConflictError, type ErrorCode } from '../errors.ts';
import type { RefusalCode } from '../machines/instance/wishes.ts';

/**
 * Total over what the machine refuses with, so that a new reason does not compile until it has a
 * problem here. Those that say `refused` are listed under it in docs/problems.md. `no_change` is
 * no refusal for a client: it is so already.
 */
export const PROBLEM_OF: Readonly<Record<Exclude<RefusalCode, 'no_change'>, ErrorCode>> = {
  deletion_in_progress: 'deletion_in_progress',
  provisioning_in_progress: 'refused',
  provisioning_failed: 'refused',
  host_operation_in_progress: 'host_operation_in_progress',
  host_unknown: 'refused',
  container_absent: 'refused',
  host_not_running: 'host_not_running',
  container_running: 'container_running',
  unpublish_in_progress: 'refused',
  nothing_to_publish: 'refused',
  nothing_to_retry: 'refused',
  suspended: 'refused',
  maintenance_in_progress: 'refused',
  agent_unknown: 'refused',
  game_start_owed: 'refused',
  recovery_in_progress: 'refused',
  host_busy: 'refused',
};

/** What we refuse without asking the machine, by what is to be reached in the container. */
export const GAME_REASONS = [
  'not_a_game',
  'not_a_dev_container',
  'address_unknown',
  'host_unknown',
  'container_absent',
  'maintenance_in_progress',
  'backup_locked',
  'backup_unknown',
] as const;

/** A wish that the machine refused, with its reason and what it would accept. */
export function toRefusal(refused: {
  readonly reason: { readonly code: string; readonly message: string };
  readonly allowedActions: readonly string[];
}): ConflictError {
  const { reason, allowedActions } = refused;
  const code = (PROBLEM_OF as Readonly<Record<string, ErrorCode>>)[reason.code] ?? 'refused';
  return new ConflictError(reason.message, {
    code,
    details: { reason: reason.code, allowedActions },
  });
}

export const refuseGame = (
  reason: (typeof GAME_REASONS)[number],
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): ConflictError =>
  new ConflictError(message, { code: 'refused', details: { reason, ...details } });
