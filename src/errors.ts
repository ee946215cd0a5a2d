/**
 * Errors we expect and can explain. They carry a stable `code` and never an HTTP status:
 * transport is decided at the edge (http/problem.ts). Anything that is not a ControlPlaneError
 * is a bug, is answered with an opaque 500, and wakes somebody up.
 */
export type ErrorCode =
  | 'invalid_input'
  | 'reset_token_invalid'
  | 'unauthenticated'
  | 'plan_limit_reached'
  | 'account_suspended'
  | 'forbidden'
  | 'scope_missing'
  | 'wrong_password'
  | 'not_found'
  | 'conflict'
  | 'account_exists'
  | 'plan_change_refused'
  | 'refused'
  | 'container_running'
  | 'deletion_in_progress'
  | 'host_operation_in_progress'
  | 'host_not_running'
  | 'agent_refused'
  | 'idempotency_key_reused'
  | 'vmid_range_exhausted'
  | 'port_range_exhausted'
  | 'stale_cursor'
  | 'length_required'
  | 'precondition_failed'
  | 'body_too_large'
  | 'range_not_satisfiable'
  | 'checksum_mismatch'
  | 'limit_exceeded'
  | 'backups_failed'
  | 'upstream_failed'
  | 'unavailable'
  | 'disk_full';

export interface ErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

export class ControlPlaneError extends Error {
  override readonly name: string = 'ControlPlaneError';
  readonly code: ErrorCode;
  /** May the same call succeed later, unchanged? Workers retry only if this is true. */
  readonly retryable: boolean = false;
  /** Members that a caller may see. Never a secret, a token or a third party's raw answer. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, { cause, details = {} }: ErrorOptions = {}) {
    super(message, { cause });
    this.code = code;
    this.details = details;
  }
}

export class InvalidInputError extends ControlPlaneError {
  override readonly name = 'InvalidInputError';
  constructor(message: string, options?: ErrorOptions) {
    super('invalid_input', message, options);
  }
}

export class NotFoundError extends ControlPlaneError {
  override readonly name = 'NotFoundError';
  constructor(message: string, options?: ErrorOptions) {
    super('not_found', message, options);
  }
}

/** Somebody else was first, or the world is in a state that does not accept this. */
export class ConflictError extends ControlPlaneError {
  override readonly name = 'ConflictError';
  constructor(message: string, options: ErrorOptions & { code?: ErrorCode } = {}) {
    super(options.code ?? 'conflict', message, options);
  }
}

/**
 * A third party failed us. `reason` is stable and says what happened in our words
 * (`no_answer`, `container_locked`, …); `retryable` says whether asking again may help.
 */
export class UpstreamError extends ControlPlaneError {
  override readonly name = 'UpstreamError';
  override readonly retryable: boolean;
  readonly reason: string;

  constructor(message: string, options: ErrorOptions & { reason: string; retryable: boolean }) {
    super('upstream_failed', message, options);
    this.reason = options.reason;
    this.retryable = options.retryable;
  }
}

/** We cannot do this just now; nothing is wrong with the request. */
export class UnavailableError extends ControlPlaneError {
  override readonly name = 'UnavailableError';
  override readonly retryable = true;
  constructor(message: string, options?: ErrorOptions) {
    super('unavailable', message, options);
  }
}
