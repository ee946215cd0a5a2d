import { UpstreamError } from '../../errors.ts';
import { isFinal, mailError } from './failure.ts';

export interface Person {
  readonly name: string;
  readonly address: string;
}

export interface Message {
  /** Names the mail for ever: whoever gets it twice can tell by it. */
  readonly id: string;
  readonly to: string;
  readonly replyTo?: Person | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  readonly date: Date;
}

export interface SendOptions {
  /** Awaited before the message leaves by that transport; if it throws, the message does not. */
  readonly begin: (transport: string) => Promise<void>;
  /** A mail that has not left yet stays, and the reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** An earlier attempt may have left it there, so no other transport may send it. */
  readonly only?: string | null | undefined;
}

export interface Sent {
  readonly transport: string;
  /** As whoever took it names it; null if that is not known. */
  readonly messageId: string | null;
}

/** One way for mails to leave. */
export interface MailTransport {
  readonly name: string;
  /** Recognizes a mail that it has taken before, so that sending it again is safe. */
  readonly isRepeatable: boolean;
  /** @throws UpstreamError `maybe_taken` or `answer_lost` if it may have been taken. */
  send(message: Message, options: SendOptions): Promise<Sent>;
}

export interface Mailer {
  /** The transports that may be given a mail again which they may have taken. */
  readonly repeatable: readonly string[];
  /**
   * By the first transport that takes it; another one is tried only if those before it certainly
   * have not.
   * @throws UpstreamError that names what each of them said
   */
  send(message: Message, options: SendOptions): Promise<Sent>;
}

export function createMailer(transports: readonly MailTransport[]): Mailer {
  return {
    repeatable: transports.filter((one) => one.isRepeatable).map(({ name }) => name),
    async send(message, options) {
      const { only } = options;
      const failures: UpstreamError[] = [];
      for (const transport of transports) {
        if (only && transport.name !== only) continue;
        try {
          return await transport.send(message, options);
        } catch (error) {
          if (!(error instanceof UpstreamError)) throw error;
          failures.push(error);
          if (isFinal(error)) break;
        }
      }
      throw together(failures);
    },
  };
}

/** The last one decides, except that the mail may go again if any of them may take it then. */
function together(failures: readonly UpstreamError[]): UpstreamError {
  const last = failures.at(-1);
  if (!last) return mailError('mail', 'not_configured');
  if (failures.length === 1) return last;
  return new UpstreamError(failures.map(({ message }) => message).join(', '), {
    reason: last.reason,
    retryable: isFinal(last) ? last.retryable : failures.some(({ retryable }) => retryable),
    details: last.details,
    cause: failures[0],
  });
}
