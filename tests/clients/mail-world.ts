import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';

import { type MailSink, startMailSink } from '../../lab/mail/sink.ts';
import { type Resend, startResend } from '../../lab/resend/server.ts';
import type { MailTransport, Message } from '../../src/clients/mail/client.ts';
import { createResendTransport } from '../../src/clients/mail/resend.ts';
import { createSmtpTransport } from '../../src/clients/mail/smtp.ts';
import { temporaryFolder } from '../lab/proxmox-world.ts';

export const FROM = 'ZeroLag Hub Support <support@zerolaghub.com>';
export const MESSAGE: Message = {
  id: 'mail-1',
  to: 'alice@zpack.test',
  replyTo: { name: 'Bob, "the" Builder', address: 'bob@zpack.test' },
  subject: 'Grüße & a line that is so long that a mail program has to fold it somewhere, ß',
  text: 'Hello,\n\n.a line with a dot\nhttps://portal.test/reset-password?token=a%20b&c=d\n',
  html: '<p>Hello &amp; grüße</p>',
  date: new Date('2026-11-24T12:00:00Z'),
};

export interface Arrived {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string | null | undefined;
  readonly html: string | null | undefined;
}

export const begin = async (): Promise<void> => {};

interface TransportOptions {
  readonly timeoutMs?: number;
  readonly secret?: string;
}

/** A mail server of the lab. */
export async function setUpSink({ isSecure = false } = {}) {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(await temporaryFolder());
  const sink = opened.use(await startMailSink({ dataDir: folder.path, isSecure }));
  const closing = opened.move();
  return {
    sink,
    folder: folder.path,
    transport: (options: TransportOptions & { ca?: string | undefined; host?: string } = {}) =>
      smtpOf(sink, { isSecure, ...options }),
    arrived: (): readonly Arrived[] => sink.mails(),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

function smtpOf(
  { host, port, user, password, ca }: MailSink,
  options: TransportOptions & { isSecure: boolean; ca?: string | undefined; host?: string },
): MailTransport {
  return createSmtpTransport({
    ...{ host, port, user, ca, from: FROM },
    timeoutMs: 5_000,
    ...options,
    password: options.secret ?? password,
  });
}

/** Resend, as the lab stands in for it. */
export async function setUpResend() {
  await using opened = new AsyncDisposableStack();
  const resend = opened.use(await startResend());
  const closing = opened.move();
  return {
    resend,
    transport: (options: TransportOptions = {}) => closing.use(resendOf(resend, options)),
    arrived: (): readonly Arrived[] =>
      resend.mails().map(({ to, subject, text, html }) => ({ to, subject, text, html })),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const resendOf = ({ url, apiKey }: Resend, { secret = apiKey, timeoutMs = 5_000 }) =>
  createResendTransport({ baseUrl: url, apiKey: secret, from: FROM, timeoutMs });

/** A mail server without TLS, which says to each line what the test says. */
export async function startPlainServer(answer: (line: string) => string) {
  const server = createServer((socket) => {
    socket.on('error', () => {}).write('220 here\r\n');
    createInterface(socket).on('line', (line) => socket.write(`${answer(line)}\r\n`));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await once(server.close(), 'close');
    },
  };
}
