/**
 * The one place that knows what Stripe says when something is wrong: a status, a type and a code,
 * or an exception of its SDK. We speak in reasons; its own words stay in `cause`, for the log.
 */
import Stripe from 'stripe';

import { UpstreamError } from '../../errors.ts';
import { explainTransport, TRANSPORT_REASONS } from '../exchange.ts';

/** Reason → may the same call succeed later, unchanged? */
const REASONS = {
  /** The key is wrong, or may not do this. */
  unauthorized: false,
  /** It said no: to the card, or because the subscription is in a state that does not allow it. */
  refused: false,
  not_found: false,
  /** `details.retryAfterMs` says when to come back, if Stripe said so. */
  rate_limited: true,
  /** Somebody else is changing the same thing at this moment, or the same key is in use. */
  busy: true,
  /** Stripe itself is in trouble; what was asked for may well have happened. */
  server_failed: true,
  /** An answer that we do not understand. */
  malformed: true,
  ...TRANSPORT_REASONS,
} as const satisfies Record<string, boolean>;

export type StripeReason = keyof typeof REASONS;

/** The type of an answer that was no JSON, as our transport hands it to the SDK. */
export const UNREADABLE = 'unreadable';

const CODES: Readonly<Record<string, StripeReason>> = {
  resource_missing: 'not_found',
  rate_limit: 'rate_limited',
  lock_timeout: 'busy',
  idempotency_key_in_use: 'busy',
};

const STATUSES: Readonly<Record<number, StripeReason>> = {
  400: 'refused',
  401: 'unauthorized',
  402: 'refused',
  403: 'unauthorized',
  404: 'not_found',
  409: 'busy',
  429: 'rate_limited',
};

export function stripeError(
  reason: StripeReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`stripe: ${what}: ${reason}`, { reason, retryable, cause, details });
}

/** What the SDK threw at `what`, as in "subscriptions.update sub_1". Anything else is a bug. */
export function stripeFailure(what: string, error: unknown): unknown {
  if (!(error instanceof Stripe.errors.StripeError)) return error;
  const detail: unknown = error.detail;
  if (detail instanceof UpstreamError) return detail;
  if (error instanceof Stripe.errors.StripeConnectionError) return transportFailure(what, detail);
  const { statusCode: status, code, decline_code: declineCode, requestId } = error;
  const said = [error.rawType, code, declineCode || undefined, requestId, withoutKeys(error)];
  const cause = new Error([`HTTP ${status}`, ...said].filter(Boolean).join(' ').slice(0, 500));
  const retryAfterMs = status === 429 ? waitOf(error.headers) : undefined;
  return stripeError(reasonOf(error), what, {
    cause,
    details: {
      ...(status !== undefined && { status }),
      ...(code && { code }),
      ...(declineCode && { declineCode }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  });
}

/** No answer at all. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { reason, cause } = explainTransport(error);
  return stripeError(reason, what, { cause });
}

function reasonOf({ statusCode, rawType, code }: Stripe.errors.StripeError): StripeReason {
  if (statusCode === undefined) return 'malformed';
  if (statusCode === 429 && code !== 'lock_timeout') return 'rate_limited';
  if (statusCode >= 500) return 'server_failed';
  // Something on the way answered, and it says nothing about what Stripe knows.
  if (String(rawType) === UNREADABLE) return 'malformed';
  return CODES[code ?? ''] ?? STATUSES[statusCode] ?? 'malformed';
}

/** Stripe quotes a part of the key that it refuses. */
const withoutKeys = ({ message }: Error): string =>
  message.replace(/\b(sk|rk|pk|whsec)_\S+/g, '$1_…');

function waitOf(headers: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const said = headers?.['retry-after'];
  return typeof said === 'string' && /^\d+$/.test(said) ? Number(said) * 1000 : undefined;
}
