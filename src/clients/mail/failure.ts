/** The one place that knows how mail transports fail, and what it means for the mail. */
import { UpstreamError } from '../../errors.ts';

/** Reason → may the same mail be sent again? Whoever runs us may mend what is refused meanwhile. */
const REASONS = {
  /** No connection came about, or it ended before the message left. */
  not_connected: true,
  timed_out: true,
  certificate_refused: true,
  /** The server offers no TLS, or it did not come about. */
  tls_refused: true,
  unauthenticated: true,
  refused_for_now: true,
  /** This mail will never be taken there. */
  message_refused: false,
  /** Nobody lives at this address. */
  recipient_refused: false,
  /** It left, and no answer came: sent again, it may arrive twice. */
  maybe_taken: false,
  /** The same, but who gets it again recognizes it. */
  answer_lost: true,
  /** There is no transport at all. */
  not_configured: false,
} as const satisfies Record<string, boolean>;

export type MailReason = keyof typeof REASONS;

/** Then the mail is not given to another transport: it may be there, or need not go anywhere. */
const FINAL: readonly string[] = [
  'maybe_taken',
  'answer_lost',
  'recipient_refused',
] satisfies MailReason[];

export function mailError(
  transport: string,
  reason: MailReason,
  { cause, status }: { readonly cause?: unknown; readonly status?: string | undefined } = {},
): UpstreamError {
  const what = `${transport}: ${reason}${status === undefined ? '' : ` ${status}`}`;
  const details = status === undefined ? {} : { status };
  return new UpstreamError(what, { reason, retryable: REASONS[reason], cause, details });
}

export function isFinal(error: UpstreamError): boolean {
  return FINAL.includes(error.reason);
}

/** What nodemailer tells of a failure. */
interface SmtpTraits {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** That of the system, as ECONNREFUSED. */
  readonly originalCode?: string;
  readonly command?: string;
  readonly response?: string;
  readonly responseCode?: number;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|certificate/i;
/** A policy about us, such as a relay that is denied: it says nothing of the address. */
const POLICY = /^5\d\d[ -]5\.7\./;

/** `hasLeft`: the server was given the message, or a part of it. */
export function smtpFailure(error: unknown, { hasLeft }: { hasLeft: boolean }): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const traits = (error instanceof Error ? error : new Error('not an Error')) as SmtpTraits;
  const { responseCode, command = '' } = traits;
  const isAnswered = responseCode !== undefined && /^(RCPT TO|MAIL FROM|DATA)$/.test(command);
  const reason = isAnswered
    ? refusalOf(traits, responseCode)
    : hasLeft
      ? 'maybe_taken'
      : brokenBecause(traits);
  // An answer to the message may quote it, and with it a link that opens an account.
  const said = hasLeft ? '' : `: ${traits.message.slice(0, 200)}`;
  const cause = new Error(`${traits.originalCode ?? traits.code ?? traits.name}${said}`);
  return mailError('smtp', reason, { cause, status: statusOf(traits) });
}

function refusalOf({ command, response = '' }: SmtpTraits, status: number): MailReason {
  if (status < 500 || status === 503) return 'refused_for_now';
  if (status === 530) return 'unauthenticated';
  if (command === 'RCPT TO' && !POLICY.test(response)) return 'recipient_refused';
  return 'message_refused';
}

function brokenBecause({ code, originalCode = '', message, responseCode }: SmtpTraits): MailReason {
  if (code === 'EAUTH') return 'unauthenticated';
  if (CERTIFICATE.test(originalCode) || CERTIFICATE.test(message)) return 'certificate_refused';
  if (code === 'ETLS') return 'tls_refused';
  if (code === 'ETIMEDOUT') return 'timed_out';
  return responseCode === undefined ? 'not_connected' : 'refused_for_now';
}

/** "550 5.1.1", without the words of the server. */
function statusOf({ response = '' }: SmtpTraits): string | undefined {
  return /^\d{3}(?:[ -]\d\.\d{1,3}\.\d{1,3})?/.exec(response)?.[0].replace('-', ' ');
}
