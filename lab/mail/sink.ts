import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';

import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import { z } from 'zod';

import { makeCertificate } from '../certificates.ts';
import { readJson, writeJson } from '../proxmox/files.ts';
import { createMailFaults, type MailFault, type MailFaults } from './faults.ts';
import { createMailbox, type ReceivedMail } from './mailbox.ts';
import { startMailPage } from './page.ts';

/** A mail server that takes every mail of whoever signs in, and delivers none. */
export interface MailSink extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** PEM, and the file that holds it. */
  readonly ca: string;
  readonly caFile: string;
  /** Where a browser sees the mails. */
  readonly page: URL;
  readonly faults: MailFaults;
  mails(): readonly ReceivedMail[];
  /** How many mails were begun, taken or not. */
  readonly envelopes: number;
}

export interface MailSinkOptions {
  readonly dataDir: string;
  /** TLS from the first byte; otherwise by STARTTLS. */
  readonly isSecure?: boolean;
  /** Where the page is, if that is free; else anywhere. */
  readonly pagePort?: number;
}

const HERE = '127.0.0.1';
const USER = 'zpack';
const CLOSE_MS = 50;
const kept = z.object({ key: z.string(), cert: z.string(), password: z.string() });

export async function startMailSink(options: MailSinkOptions): Promise<MailSink> {
  const { dataDir, isSecure = false, pagePort = 0 } = options;
  const mailbox = createMailbox(dataDir);
  const { key, cert, password } = await loadCredentials(dataDir);
  const caFile = join(dataDir, 'mail-ca.pem');
  writeFileSync(caFile, cert);
  const faults = createMailFaults();
  let envelopes = 0;
  const server = new SMTPServer({
    ...{ key, cert, secure: isSecure, closeTimeout: CLOSE_MS, disableReverseLookup: true },
    authMethods: ['PLAIN', 'LOGIN'],
    onAuth({ username, password: given }, _, done) {
      if (username === USER && given === password) return done(null, { user: USER });
      done(refusal(535, '5.7.8 Error: authentication failed'));
    },
    onRcptTo({ address }, session, done) {
      envelopes += 1;
      const fault = faults.strike('recipient', address);
      if (fault) return suffer(fault, session, done);
      done();
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        const fault = faults.strike('message', to[0] ?? '');
        if (fault?.kind !== 'refuse_message') {
          const { mailFrom } = session.envelope;
          mailbox.add({ from: mailFrom ? mailFrom.address : '', to }, Buffer.concat(chunks));
        }
        if (fault) return suffer(fault, session, done);
        done();
      });
    },
  } satisfies SMTPServerOptions);

  function suffer(
    fault: MailFault,
    session: SMTPServerSession,
    done: (error: Error) => void,
  ): void {
    if ('code' in fault) done(refusal(fault.code, fault.text));
    else if (fault.kind === 'drop_before' || fault.kind === 'drop_after') drop(server, session);
  }

  // Clients that break off are what some tests are about.
  server.on('error', () => {});
  const listening = once(server.listen(0, HERE), 'listening');
  await listening;
  const page = await startMailPage(mailbox, pagePort);
  return {
    ...{ host: HERE, port: (server.server.address() as AddressInfo).port, user: USER, password },
    ...{ ca: cert, caFile, page: page.url, faults, mails: mailbox.list },
    get envelopes() {
      return envelopes;
    },
    async [Symbol.asyncDispose]() {
      await page[Symbol.asyncDispose]();
      await new Promise<void>((resolve) => server.close(resolve));
    },
  };
}

async function loadCredentials(dataDir: string): Promise<z.output<typeof kept>> {
  const path = join(dataDir, 'mail-credentials.json');
  const known = readJson(path, kept);
  if (known) return known;
  const password = randomBytes(16).toString('hex');
  const fresh = { ...(await makeCertificate('Mail server of the lab')), password };
  writeJson(path, fresh);
  return fresh;
}

const refusal = (responseCode: number, text: string): Error =>
  Object.assign(new Error(text), { responseCode });

/** The library hands out no socket: it is found by the session that it belongs to. */
function drop(server: SMTPServer, { id }: SMTPServerSession): void {
  for (const connection of server.connections) {
    const { session, _socket: socket } = connection as unknown as {
      session: SMTPServerSession;
      _socket: unknown;
    };
    if (session.id === id && socket instanceof Socket) socket.destroy();
  }
}
