import type { ErrorRequestHandler } from 'express';

import { ControlPlaneError, type ErrorCode } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';

/** RFC 9457. `error` is the same code under the name that existing clients read. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly instance: string;
  readonly error: string;
  readonly [extension: string]: unknown;
}

/** Total over ErrorCode: a new code does not compile until it has a place here. */
export const PROBLEMS: Readonly<Record<ErrorCode, { status: number; title: string }>> = {
  invalid_input: { status: 400, title: 'The request is not valid' },
  reset_token_invalid: { status: 400, title: 'The link has been used, or is too old' },
  unauthenticated: { status: 401, title: 'Sign in first' },
  plan_limit_reached: { status: 402, title: 'The plan does not include this' },
  account_suspended: { status: 402, title: 'The account is suspended' },
  forbidden: { status: 403, title: 'This is not for you' },
  wrong_password: { status: 403, title: 'The password is another one' },
  scope_missing: { status: 403, title: 'The token is not for this' },
  not_found: { status: 404, title: 'There is no such resource' },
  conflict: { status: 409, title: 'The resource does not accept this now' },
  account_exists: { status: 409, title: 'There is such an account already' },
  plan_change_refused: { status: 409, title: 'The plan cannot be changed to this' },
  refused: { status: 409, title: 'The container does not accept this now' },
  container_running: { status: 409, title: 'The container is on' },
  deletion_in_progress: { status: 409, title: 'The container is being deleted' },
  host_operation_in_progress: { status: 409, title: 'Its power is being changed already' },
  host_not_running: { status: 409, title: 'The container is off' },
  agent_refused: { status: 409, title: 'The agent in the container refused this' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key stands for something else' },
  vmid_range_exhausted: { status: 503, title: 'No VMID is free' },
  port_range_exhausted: { status: 503, title: 'No port is free' },
  stale_cursor: { status: 410, title: 'Too much has happened since' },
  length_required: { status: 411, title: 'The length of the body is not said' },
  precondition_failed: { status: 412, title: 'It is not any more what it was' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  range_not_satisfiable: { status: 416, title: 'There is no such part' },
  checksum_mismatch: { status: 422, title: 'What has come is something else' },
  limit_exceeded: { status: 429, title: 'A limit has been reached' },
  backups_failed: { status: 502, title: 'The agent could not do that with backups' },
  upstream_failed: { status: 502, title: 'A service we depend on failed' },
  unavailable: { status: 503, title: 'Try again later' },
  disk_full: { status: 507, title: 'The disk of the container is full' },
};

const RETRY_AFTER_S = 2;

export function toProblem(error: unknown, instance: string): Problem {
  const known = fromBodyParser(error) ?? error;
  if (!(known instanceof ControlPlaneError)) {
    // A bug. Its message stays in our logs: it may hold what the caller must not see.
    const title = 'Internal Server Error';
    return { type: 'about:blank', title, status: 500, instance, error: 'internal_error' };
  }
  // What an agent answered, where clients expect it to be passed on.
  const { forwardedStatus, ...members } = known.details;
  return {
    ...members,
    type: `/docs/problems#${known.code}`,
    ...PROBLEMS[known.code],
    ...(typeof forwardedStatus === 'number' && { status: forwardedStatus }),
    detail: known.message,
    instance,
    error: known.code,
  };
}

/** Express names the mistakes of a body by `type`; they are the caller's, not ours. */
function fromBodyParser(error: unknown): ControlPlaneError | null {
  const { type } = (error ?? {}) as { type?: unknown };
  if (type === 'entity.too.large') {
    return new ControlPlaneError('body_too_large', 'the body is larger than this route accepts');
  }
  if (type === 'entity.parse.failed' || type === 'encoding.unsupported') {
    return new ControlPlaneError('invalid_input', 'the body is not readable JSON');
  }
  return null;
}

export function createProblemHandler(logger: Logger): ErrorRequestHandler {
  return (error, request, response, next) => {
    if (response.headersSent) return next(error);
    // The client has gone, and what was done for it has ended for that: nothing is wrong.
    if (request.socket.destroyed && error instanceof DOMException) return;
    const problem = toProblem(error, `urn:request:${response.locals['requestId']}`);
    if (problem.status >= 500) {
      const { method, path } = request;
      logger.error({ err: error, method, path, instance: problem.instance }, problem.title);
    }
    if (problem.status === 503 || problem.status === 429) {
      response.set('Retry-After', String(problem['retryAfterS'] ?? RETRY_AFTER_S));
    }
    if (problem.status === 416) {
      response.set('Content-Range', `bytes */${problem['size'] ?? '*'}`);
    }
    if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer');
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  };
}
