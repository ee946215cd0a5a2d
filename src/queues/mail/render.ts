import { z } from 'zod';

import type { Message } from '../../clients/mail/client.ts';
import type { ClaimedMail } from '../../storage/mails.ts';
import { htmlBody, textBody } from './bodies.ts';
import {
  type Content,
  mailContent,
  type Portal,
  passwordChanged,
  paymentFailed,
  resetContent,
  restored,
  supportRequest,
  suspended,
  trialEnding,
} from './contents.ts';

/**
 * A link that sets the password of the account with this e-mail, or null if there is none. It may
 * be asked more than once for one mail, so a link must not end those before it.
 */
export type IssueReset = (
  email: string,
) => Promise<{ readonly displayName: string | null; readonly token: string } | null>;

/** null: there is nothing to say to anybody. */
export type Render = (mail: ClaimedMail) => Promise<Message | null>;

const LINE_MAX = 200;

/** Puts a mail into words when it is sent, so that a link that opens an account is never stored. */
export function createRenderer({
  portal,
  issueReset,
}: {
  readonly portal: Portal;
  readonly issueReset: IssueReset;
}): Render {
  return async ({ id, kind, params, recipient, createdAt }) => {
    const parsed = mailContent.safeParse({ kind, params });
    if (!parsed.success) throw new Error(`mail ${kind}: ${z.prettifyError(parsed.error)}`);
    const mail = parsed.data;
    let content: Content;
    let greeting = 'Hello,';
    if (mail.kind === 'password_reset') {
      const issued = await issueReset(recipient);
      if (!issued) return null;
      content = resetContent(portal, issued.token);
      if (issued.displayName) greeting = `Hello ${lineOf(issued.displayName)},`;
    } else {
      content = contentOf(portal, mail);
    }
    const { name, email } = mail.kind === 'support_request' ? mail.params : {};
    return {
      id,
      to: recipient,
      ...(email !== undefined && { replyTo: { name: lineOf(name ?? ''), address: email } }),
      subject: lineOf(content.subject),
      text: textBody(greeting, content),
      html: htmlBody(greeting, content),
      date: createdAt,
    };
  };
}

type Stored = z.output<typeof mailContent>;

function contentOf(portal: Portal, mail: Exclude<Stored, { kind: 'password_reset' }>): Content {
  switch (mail.kind) {
    case 'password_changed':
      return passwordChanged();
    case 'payment_failed':
      return paymentFailed(portal, mail.params);
    case 'suspended':
      return suspended(portal, mail.params);
    case 'restored':
      return restored(portal);
    case 'trial_ending':
      return trialEnding(portal, mail.params);
    case 'support_request':
      return supportRequest(mail.params);
  }
}

/** One line of a header or a greeting: what breaks a line, or turns its direction, is a blank. */
function lineOf(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, LINE_MAX);
}
