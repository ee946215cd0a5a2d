import { Readable } from 'node:stream';

import MailComposer from 'nodemailer/lib/mail-composer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';

import type { MailTransport, Message, SendOptions } from './client.ts';
import { smtpFailure } from './failure.ts';

export interface SmtpOptions {
  readonly host: string;
  readonly port: number;
  /** TLS from the first byte. Otherwise by STARTTLS: without TLS nothing is sent. */
  readonly isSecure: boolean;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** PEM. Only certificates of this authority (or this very one) are accepted. */
  readonly ca?: string | undefined;
  /** `Name <address>` */
  readonly from: string;
  /** Of a whole mail. */
  readonly timeoutMs: number;
}

/**
 * Each mail has a connection of its own, and the message is read from it only after the server has
 * asked for it: so we know of every failure whether the mail may have been taken. The pool of
 * nodemailer does not tell, and sends again by itself what was lost.
 */
export function createSmtpTransport(options: SmtpOptions): MailTransport {
  const { timeoutMs, from } = options;
  const sender = addressOf(from);
  return {
    name: 'smtp',
    isRepeatable: false,
    async send(message, { begin, signal }) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const messageId = `<${message.id}@${sender.slice(sender.lastIndexOf('@') + 1)}>`;
      const raw = await compose(message, from, messageId);
      signal?.throwIfAborted();
      const leaving = leave(raw, begin);
      const session = openSession(options);
      const stop = () => {
        if (timeout.aborted || !leaving.hasLeft) session.end();
      };
      const ended = signal ? AbortSignal.any([signal, timeout]) : timeout;
      ended.addEventListener('abort', stop);
      try {
        await session.logIn();
        await session.deliver({ from: sender, to: [message.to] }, leaving.stream);
        return { transport: 'smtp', messageId };
      } catch (error) {
        if (leaving.refusal) throw leaving.refusal.error;
        if (!leaving.hasLeft) signal?.throwIfAborted();
        const { hasLeft } = leaving;
        throw smtpFailure(timeout.aborted ? timedOut() : error, { hasLeft });
      } finally {
        ended.removeEventListener('abort', stop);
        session.end();
      }
    },
  };
}

function compose(message: Message, from: string, messageId: string): Promise<Buffer> {
  const { to, replyTo, subject, text, html, date } = message;
  return new MailComposer({
    from,
    to: { name: '', address: to },
    // What somebody has written is no automatic mail, and an answer to it is wanted.
    ...(replyTo
      ? { replyTo: { name: replyTo.name, address: replyTo.address } }
      : { headers: { 'Auto-Submitted': 'auto-generated' } }),
    subject,
    text,
    html,
    date,
    messageId,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build();
}

interface Leaving {
  readonly stream: Readable;
  readonly hasLeft: boolean;
  /** What `begin` threw. */
  readonly refusal: { readonly error: unknown } | undefined;
}

/** A message that asks whether it may leave when somebody begins to read it. */
function leave(raw: Buffer, begin: SendOptions['begin']): Leaving {
  let isAsked = false;
  let hasLeft = false;
  let refusal: { error: unknown } | undefined;
  const stream = new Readable({
    read() {
      if (isAsked) return;
      isAsked = true;
      begin('smtp').then(
        () => {
          // The connection may have ended meanwhile: then nobody reads.
          if (this.destroyed) return;
          hasLeft = true;
          this.push(raw);
          this.push(null);
        },
        (error: unknown) => {
          refusal = { error };
          this.destroy(new Error('the message may not leave'));
        },
      );
    },
  });
  return {
    stream,
    get hasLeft() {
      return hasLeft;
    },
    get refusal() {
      return refusal;
    },
  };
}

type Done = (error?: Error | null) => void;

function openSession({ host, port, isSecure, user, password, ca, timeoutMs }: SmtpOptions) {
  const connection = new SMTPConnection({
    host,
    port,
    secure: isSecure,
    requireTLS: !isSecure,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    socketCloseTimeout: 1_000,
    ...(ca !== undefined && { tls: { ca } }),
  });
  const broken = new Promise<never>((_, reject) => {
    connection.on('error', reject);
    connection.on('end', () => reject(closed()));
  });
  broken.catch(() => {});
  const step = (start: (done: Done) => void) =>
    Promise.race([
      broken,
      new Promise<void>((resolve, reject) => {
        start((error) => (error ? reject(error) : resolve()));
      }),
    ]);
  let isDelivered = false;
  return {
    async logIn() {
      await step((done) => connection.connect(done));
      if (user !== undefined && password !== undefined) {
        await step((done) => connection.login({ user, pass: password }, done));
      }
    },
    async deliver(envelope: { from: string; to: string[] }, stream: Readable) {
      await step((done) => connection.send(envelope, stream, done));
      isDelivered = true;
    },
    end() {
      if (isDelivered) connection.quit();
      else connection.close();
    },
  };
}

const closed = () => Object.assign(new Error('the connection has ended'), { code: 'ECONNECTION' });
const timedOut = () => Object.assign(new Error('not in time'), { code: 'ETIMEDOUT' });

/** The address in `Name <address>`. */
function addressOf(from: string): string {
  return /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();
}
