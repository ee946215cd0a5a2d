/**
 * The one place that knows what a Technitium DNS Server says when something is wrong: HTTP 200
 * with a status word and the text of an exception. We speak in reasons; the text stays in `cause`.
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
  invalid_parameters: false,
  /** `details.retryAfterMs` says when to come back, if whoever limits us said so. */
  rate_limited: true,
  /** The server, or a proxy in front of it, is in trouble. */
  server_failed: true,
  /** An exception that no other reason covers; it may be one of its disk or its network. */
  unexplained: true,
  answer_unreadable: true,
  ...TRANSPORT_REASONS,
} as const satisfies Record<string, boolean>;

export type TechnitiumReason = keyof typeof REASONS;

/** The first that matches decides, so the narrow ones come first. */
const TEXTS: readonly (readonly [RegExp, TechnitiumReason])[] = [
  [/CNAME record/i, 'record_foreign'],
  [/record already exists/i, 'record_exists'],
  [/no such record exists/i, 'record_missing'],
  [/no such zone was found/i, 'zone_missing'],
  [/access was denied/i, 'forbidden'],
  [/^parameter '|invalid|does not belong to the zone/i, 'invalid_parameters'],
];

export function technitiumError(
  reason: TechnitiumReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`technitium: ${what}: ${reason}`, { reason, retryable, cause, details });
}

const refusal = z.object({
  status: z.enum(['error', 'invalid-token']),
  errorMessage: z.string().catch(''),
});

/** An answer without `status: "ok"` to `what`, as in "/api/zones/records/add". */
export function answerFailure(what: string, { status, text, header }: Answer): UpstreamError {
  const said = refusal.safeParse(parseJson(text)).data;
  const cause = new Error(`HTTP ${status} ${said?.errorMessage ?? ''}`.trim().slice(0, 500));
  const seconds = status === 429 ? header('retry-after') : undefined;
  const isNumber = seconds !== undefined && /^\d+$/.test(seconds);
  return technitiumError(reasonOf(status, said), what, {
    cause,
    details: { status, ...(isNumber ? { retryAfterMs: Number(seconds) * 1000 } : {}) },
  });
}

function reasonOf(status: number, said: z.output<typeof refusal> | undefined): TechnitiumReason {
  if (status === 429) return 'rate_limited';
  if (said?.status === 'invalid-token') return 'unauthenticated';
  if (said) return TEXTS.find(([text]) => text.test(said.errorMessage))?.[1] ?? 'unexplained';
  if (status >= 500) return 'server_failed';
  if (status === 401) return 'unauthenticated';
  return status === 403 ? 'forbidden' : 'answer_unreadable';
}

/** No answer at all; what is an UpstreamError already stays as it is. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { reason, cause } = explainTransport(error);
  return technitiumError(reason, what, { cause });
}
