/**
 * The one place that knows what Cloudflare says when something is wrong: a status and, in the
 * envelope, numbered errors. We speak in reasons; its own text stays in `cause`, for the log.
 */
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { type Answer, explainTransport, parseJson, TRANSPORT_REASONS } from '../exchange.ts';

/** Reason → may the same call succeed later, unchanged? */
const REASONS = {
  unauthenticated: false,
  /** The token is known, but may not do this. */
  forbidden: false,
  zone_missing: false,
  /** One that says the same, but was not there when we looked: look again. */
  record_exists: true,
  record_missing: false,
  /** Somebody else holds the name. */
  record_foreign: false,
  quota_exceeded: false,
  invalid_parameters: false,
  /** `details.retryAfterMs` says when to come back, if Cloudflare said so. */
  rate_limited: true,
  /** Cloudflare itself is in trouble. */
  server_failed: true,
  /** It said no, for a reason that no other covers. */
  refused: false,
  answer_unreadable: true,
  ...TRANSPORT_REASONS,
} as const satisfies Record<string, boolean>;

export type CloudflareReason = keyof typeof REASONS;

const CODES: Readonly<Record<number, CloudflareReason>> = {
  1000: 'unauthenticated',
  1001: 'zone_missing',
  1004: 'invalid_parameters',
  6003: 'unauthenticated',
  7003: 'zone_missing',
  9005: 'invalid_parameters',
  9021: 'invalid_parameters',
  9106: 'unauthenticated',
  9109: 'unauthenticated',
  10000: 'unauthenticated',
  971: 'rate_limited',
  10100: 'rate_limited',
  81044: 'record_missing',
  81045: 'quota_exceeded',
  81053: 'record_foreign',
  81054: 'record_foreign',
  81056: 'record_foreign',
  81057: 'record_exists',
  81058: 'record_exists',
};

const STATUSES: Readonly<Record<number, CloudflareReason>> = {
  400: 'invalid_parameters',
  401: 'unauthenticated',
  403: 'forbidden',
  429: 'rate_limited',
};

export function cloudflareError(
  reason: CloudflareReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`cloudflare: ${what}: ${reason}`, { reason, retryable, cause, details });
}

const refusal = z.object({
  success: z.literal(false),
  errors: z.array(z.object({ code: z.number(), message: z.string().catch('') })).catch([]),
});

/** An answer other than 2xx with `success: true` to `what`, as in "DELETE /dns_records". */
export function answerFailure(what: string, { status, text, header }: Answer): UpstreamError {
  const said = refusal.safeParse(parseJson(text)).data;
  const causes = (said?.errors ?? []).map(({ code, message }) => `${code} ${message}`);
  const cause = new Error([`HTTP ${status}`, ...causes].join('; ').slice(0, 500));
  const retryAfterMs = status === 429 ? waitOf(header) : undefined;
  return cloudflareError(reasonOf(status, said), what, {
    cause,
    details: { status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) },
  });
}

function reasonOf(status: number, said: z.output<typeof refusal> | undefined): CloudflareReason {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_failed';
  const known = said?.errors.map(({ code }) => CODES[code]).find((reason) => reason !== undefined);
  // A 404 that is not from the API itself says nothing about a record.
  const missing = status === 404 && said ? 'record_missing' : undefined;
  return known ?? missing ?? STATUSES[status] ?? (said ? 'refused' : 'answer_unreadable');
}

/** Seconds, or a date, which is compared with the clock that wrote it. */
function waitOf(header: Answer['header']): number | undefined {
  const said = header('retry-after');
  if (said === undefined) return undefined;
  if (/^\d+$/.test(said)) return Number(said) * 1000;
  const ms = Date.parse(said) - Date.parse(header('date') ?? '');
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

/** No answer at all; what is an UpstreamError already stays as it is. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { reason, cause } = explainTransport(error);
  return cloudflareError(reason, what, { cause });
}
