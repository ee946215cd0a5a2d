import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseMail } from './mime.ts';

export interface ReceivedMail {
  readonly id: string;
  /** Of the envelope. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string | null;
  readonly html: string | null;
  readonly receivedAt: string;
}

export interface Mailbox {
  /** Oldest first. */
  list(): readonly ReceivedMail[];
  add(envelope: { from: string; to: readonly string[] }, raw: Buffer): ReceivedMail;
}

const MAILS_MAX = 1_000;

/** In memory for whoever looks, and as files for whoever looks later. */
export function createMailbox(dataDir: string): Mailbox {
  const mails: ReceivedMail[] = [];
  const folder = join(dataDir, 'mails');
  mkdirSync(folder, { recursive: true });
  let count = 0;
  return {
    list: () => mails,
    add(envelope, raw) {
      count += 1;
      const at = new Date();
      const { headers, text, html } = parseMail(raw.toString('latin1'));
      const id = `${at.getTime()}-${count}`;
      const subject = headers['subject'] ?? '';
      const mail = { id, ...envelope, subject, headers, text, html, receivedAt: at.toISOString() };
      mails.push(mail);
      if (mails.length > MAILS_MAX) mails.shift();
      writeFileSync(join(folder, `${id}.eml`), raw, { mode: 0o600 });
      return mail;
    },
  };
}
