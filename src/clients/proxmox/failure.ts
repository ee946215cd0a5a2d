/**
 * The one place that knows what Proxmox says when something is wrong. It speaks in HTTP status,
 * reason phrase, body or a task's exit status, mostly the text of a Perl exception; we speak in
 * reasons. The text itself stays in `cause`, for the log.
 */
import { UpstreamError } from '../../errors.ts';

/** Reason → may the same call succeed later, unchanged? */
const REASONS = {
  already_running: false,
  not_running: false,
  container_missing: false,
  container_locked: true,
  container_is_running: false,
  lock_timeout: true,
  vmid_taken: false,
  vmid_range_exhausted: false,
  protected: false,
  is_template: false,
  no_quorum: true,
  /** The API answers, but the node it asked does not, or is no member of the cluster (any more). */
  node_unreachable: true,
  disk_size_refused: false,
  snapshot_exists: false,
  snapshot_missing: false,
  /** The container ignored the request to end itself; who asks again must ask for more. */
  shutdown_timed_out: false,
  invalid_parameters: false,
  unauthenticated: false,
  forbidden: false,
  not_implemented: false,
  task_missing: false,
  task_failed: false,
  /** The task's process is gone without a word, or somebody stopped it. */
  task_interrupted: true,
  /** An error that no other reason covers. */
  unexplained: true,
  /** No connection came about: the request has certainly had no effect. */
  not_connected: true,
  /** Asked, but nothing readable came back in time: what was asked for may well have happened. */
  no_answer: true,
  timed_out: true,
  answer_unreadable: true,
  answer_too_large: false,
  /** The caller gave up. */
  aborted: true,
  certificate_refused: false,
} as const satisfies Record<string, boolean>;

export type ProxmoxReason = keyof typeof REASONS;

/** The first that matches decides, so the narrow ones come first. */
const TEXTS: readonly (readonly [RegExp, ProxmoxReason])[] = [
  [/no such task|unable to parse worker upid/, 'task_missing'],
  [/^unexpected status$|received interrupt|interrupted by signal/, 'task_interrupted'],
  [/cluster not ready - no quorum/, 'no_quorum'],
  [/hostname lookup '[^']*' failed|no such cluster node/, 'node_unreachable'],
  [/can't lock file .* - got timeout/, 'lock_timeout'],
  [/(CT|VM) is locked \(/, 'container_locked'],
  [/protection mode enabled/, 'protected'],
  [/unable to destroy CT \d+ - container is running/, 'container_is_running'],
  [/(CT|VM) \d+ already running/, 'already_running'],
  [/(CT|VM) \d+ not running/, 'not_running'],
  [/(CT|VM) \d+ already exists/, 'vmid_taken'],
  [/unable to get any free VMID/, 'vmid_range_exhausted'],
  [/if it's a template/, 'is_template'],
  [/snapshot name '[^']*' already used/, 'snapshot_exists'],
  [/snapshot '[^']*' does not exist/, 'snapshot_missing'],
  [/unable to shrink disk size|disk is already at specified size/, 'disk_size_refused'],
  [/container did not stop/, 'shutdown_timed_out'],
  [/Configuration file '[^']*' does not exist/, 'container_missing'],
];

const STATUSES: Readonly<Record<number, ProxmoxReason>> = {
  400: 'invalid_parameters',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_implemented',
  501: 'not_implemented',
  // A reverse proxy in front of the cluster says so where Proxmox itself would say 595.
  502: 'node_unreachable',
  503: 'node_unreachable',
  504: 'node_unreachable',
};

export function proxmoxError(
  reason: ProxmoxReason,
  what: string,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = REASONS[reason];
  return new UpstreamError(`proxmox: ${what}: ${reason}`, { reason, retryable, cause, details });
}

/** Was it one of ours, for one of these reasons? */
export function failedBecause(error: unknown, ...reasons: readonly ProxmoxReason[]): boolean {
  return error instanceof UpstreamError && (reasons as readonly string[]).includes(error.reason);
}

export interface BadAnswer {
  readonly status: number;
  /** The reason phrase; it depends on the release whether the text stands here or in the body. */
  readonly statusText: string;
  readonly body: string;
}

/** An answer other than 2xx to `what`, which names the call as "POST /nodes/…". */
export function answerFailure(
  what: string,
  { status, statusText, body }: BadAnswer,
): UpstreamError {
  const { message, errors } = readBody(body);
  const said = [message, statusText, ...errors].filter(Boolean).join('; ');
  return proxmoxError(reasonOfAnswer(status, said), what, {
    cause: new Error(`${status} ${said}`),
    details: { status },
  });
}

function reasonOfAnswer(status: number, said: string): ProxmoxReason {
  if (status >= 595 && status <= 599) return 'node_unreachable';
  const fixed = STATUSES[status];
  // A 400 may carry a text that says more than that the parameters are wrong.
  if (fixed && status !== 400) return fixed;
  return reasonOfText(said) ?? fixed ?? 'unexplained';
}

/** The end of a task that is neither `OK` nor `WARNINGS: n`. */
export function taskFailure(what: string, exitstatus: string): UpstreamError {
  const cause = new Error(exitstatus);
  return proxmoxError(reasonOfText(exitstatus) ?? 'task_failed', what, { cause });
}

function reasonOfText(text: string): ProxmoxReason | undefined {
  return TEXTS.find(([pattern]) => pattern.test(text))?.[1];
}

function readBody(body: string): { message: string; errors: string[] } {
  try {
    const { message, errors } = JSON.parse(body) as { message?: unknown; errors?: unknown };
    const entries = typeof errors === 'object' && errors !== null ? Object.entries(errors) : [];
    return {
      message: typeof message === 'string' ? message.trim() : '',
      errors: entries.map(([name, text]) => `${name}: ${String(text).trim()}`),
    };
  } catch {
    return { message: '', errors: [] };
  }
}

const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_(TLS|SSL)/;
const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;

/** No answer at all. The cause is rebuilt, so that nothing of the request can hide in it. */
export function transportFailure(what: string, error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { name, code, message } = traitsOf(error);
  const cause = new Error(`${code ?? name}: ${message}`);
  if (name === 'TimeoutError') return proxmoxError('timed_out', what, { cause });
  if (name === 'AbortError') return proxmoxError('aborted', what, { cause });
  if (code !== undefined && NEVER_SENT.test(code))
    return proxmoxError('not_connected', what, { cause });
  if (code !== undefined && CERTIFICATE.test(code))
    return proxmoxError('certificate_refused', what, { cause });
  return proxmoxError('no_answer', what, { cause });
}

/** Did the other side close a connection, as it may with one that has idled? */
export function isReset(error: unknown): boolean {
  return RESET.test(traitsOf(error).code ?? '');
}

function traitsOf(error: unknown): { name: string; code: string | undefined; message: string } {
  if (!(error instanceof Error)) return { name: 'Error', code: undefined, message: 'not an Error' };
  // The code of a DOMException is a number of old, which says nothing.
  const { code } = error as { code?: unknown };
  const { name, message } = error;
  return { name, code: typeof code === 'string' ? code : undefined, message };
}
