/** The one place that knows how the bridge fails, and what it means for whoever asked. */
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';

/** Reason → may the same call succeed later, unchanged? */
const REASONS = {
  /** No connection came about: the request has certainly had no effect. */
  not_connected: true,
  /** Asked, but nothing came back: what was asked for may well have happened. */
  no_answer: true,
  timed_out: true,
  answer_too_large: false,
  answer_unreadable: false,
  /** The shared secret is not the one of the bridge. */
  unauthenticated: false,
  not_found: false,
  /** A server of this name is registered at another address. */
  name_taken: false,
  bridge_refused: false,
  /** The bridge itself is in trouble, or whatever stands in front of it. */
  bridge_failed: true,
} as const satisfies Record<string, boolean>;

export type VelocityReason = keyof typeof REASONS;

const LOST: readonly VelocityReason[] = [
  'no_answer',
  'timed_out',
  'answer_too_large',
  'bridge_failed',
];

const STATUSES: Readonly<Record<number, VelocityReason>> = {
  401: 'unauthenticated',
  403: 'unauthenticated',
  404: 'not_found',
  408: 'bridge_failed',
  409: 'name_taken',
  429: 'bridge_failed',
};

const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;
const refused = z.object({ error: z.string().transform((text) => text.slice(0, 200)) });

export function velocityError(
  reason: VelocityReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`velocity: ${what}: ${reason}`, { reason, retryable, cause, details });
}

/** An answer other than 2xx to `what`, which names the call as "POST /zpack/register". */
export function answerFailure(what: string, status: number, body: unknown): UpstreamError {
  const isRefusal = status >= 400 && status <= 499;
  const said = refused.safeParse(body).data;
  return velocityError(STATUSES[status] ?? (isRefusal ? 'bridge_refused' : 'bridge_failed'), what, {
    details: { status, ...(said ? { bridgeError: said.error } : {}) },
  });
}

/** No answer at all. The cause is rebuilt, so that nothing of the request can hide in it. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { name, message } = error instanceof Error ? error : new Error('not an Error');
  const code = codeOf(error);
  const cause = new Error(`${code || name}: ${message}`);
  if (name === 'TimeoutError') return velocityError('timed_out', what, { cause });
  return velocityError(NEVER_SENT.test(code) ? 'not_connected' : 'no_answer', what, { cause });
}

/** Did the other side close a connection, as it may with one that has idled? */
export function isReset(error: unknown): boolean {
  return RESET.test(codeOf(error));
}

/** Was it one of ours, for this reason? */
export function failedBecause(error: unknown, reason: VelocityReason): boolean {
  return error instanceof UpstreamError && error.reason === reason;
}

/** May what was asked for have happened all the same? */
export function isLost(error: unknown): boolean {
  return LOST.some((reason) => failedBecause(error, reason));
}

function codeOf(error: unknown): string {
  const { code } = error instanceof Error ? (error as { code?: unknown }) : {};
  return typeof code === 'string' ? code : '';
}
