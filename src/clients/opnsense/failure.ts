/**
 * The one place that knows what OPNsense says when something is wrong: a status, or a result word
 * at HTTP 200. We speak in reasons; its own text stays in `cause`, for the log.
 */
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { type Answer, explainTransport, parseJson, TRANSPORT_REASONS } from '../exchange.ts';

/** Reason → may the same call succeed later, unchanged? */
const REASONS = {
  unauthenticated: false,
  /** The key is known, but its user may not do this. */
  forbidden: false,
  /** This firewall is too old to have destination NAT in its API. */
  not_implemented: false,
  /** Somebody else forwards this port already. */
  forward_foreign: false,
  invalid_parameters: false,
  /** It said no, and not why. */
  refused: false,
  /** Saved, but the firewall could not load its rules. */
  apply_failed: true,
  /** `details.retryAfterMs` says when to come back, if whoever limits us said so. */
  rate_limited: true,
  /** The firewall, or a proxy in front of it, is in trouble. */
  server_failed: true,
  answer_unreadable: true,
  ...TRANSPORT_REASONS,
} as const satisfies Record<string, boolean>;

export type OpnsenseReason = keyof typeof REASONS;

const STATUSES: Readonly<Record<number, OpnsenseReason>> = {
  400: 'invalid_parameters',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_implemented',
  429: 'rate_limited',
};

export function opnsenseError(
  reason: OpnsenseReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`opnsense: ${what}: ${reason}`, { reason, retryable, cause, details });
}

const refusal = z.object({
  message: z.string().catch(''),
  errorMessage: z.string().catch(''),
  result: z.literal('failed').optional().catch(undefined),
  validations: z.record(z.string(), z.unknown()).optional().catch(undefined),
});

/** An answer to `what` that is not what was hoped for: "POST /api/firewall/d_nat/setRule". */
export function answerFailure(what: string, { status, text, header }: Answer): UpstreamError {
  const said = refusal.safeParse(parseJson(text)).data;
  const wrong = Object.entries(said?.validations ?? {}).map(([field, why]) => `${field}: ${why}`);
  const words = [`HTTP ${status}`, said?.message, said?.errorMessage, ...wrong].filter(Boolean);
  const wait = status === 429 ? (header('retry-after') ?? '') : '';
  return opnsenseError(reasonOf(status, said), what, {
    cause: new Error(words.join('; ').slice(0, 500)),
    details: { status, ...(/^\d+$/.test(wait) ? { retryAfterMs: Number(wait) * 1000 } : {}) },
  });
}

function reasonOf(status: number, said: z.output<typeof refusal> | undefined): OpnsenseReason {
  if (status >= 500) return 'server_failed';
  if (status >= 300) return STATUSES[status] ?? 'answer_unreadable';
  if (said?.validations) return 'invalid_parameters';
  return said?.result ? 'refused' : 'answer_unreadable';
}

/** No answer at all; what is an UpstreamError already stays as it is. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { reason, cause } = explainTransport(error);
  return opnsenseError(reason, what, { cause });
}
