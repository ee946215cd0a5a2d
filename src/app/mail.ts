import { readFile } from 'node:fs/promises';

import { createMailer, type Mailer, type MailTransport } from '../clients/mail/client.ts';
import { createConsoleTransport } from '../clients/mail/console.ts';
import { createResendTransport } from '../clients/mail/resend.ts';
import { createSmtpTransport } from '../clients/mail/smtp.ts';
import type { Config } from '../config.ts';
import { createRenderer, type IssueReset } from '../queues/mail/render.ts';
import type { Queues } from '../queues/queues.ts';
import { createMailWaker, type MailWaker } from '../queues/wake-mailers.ts';
import type { MailJob } from '../queues/workers/send-mails.ts';
import { createMailProcessor, createMailSweep } from '../queues/workers/send-mails.ts';
import type { Sweep } from '../queues/workers/sweep.ts';
import type { MailOrder } from '../storage/mail-order.ts';
import type { Mails } from '../storage/mails.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Foundation } from './foundation.ts';

const SWEEP_MS = 3_000;
/** All transports one after the other, and room for a slow database. */
const LEASE_TIMEOUTS = 4;

/** Queues a mail and wakes a worker. A key that is known already is mailed about already. */
export type SendMail = (order: MailOrder) => Promise<void>;

export function createSendMail(mails: Pick<Mails, 'queue'>, waker: MailWaker): SendMail {
  return async (order) => {
    const id = await mails.queue(order);
    if (id !== null) waker.soon(id);
  };
}

export function wakeMailers(queues: Queues, logger: Logger): MailWaker {
  const onError = (err: unknown) => logger.warn({ err }, 'could not wake a mailer; a sweep will');
  return createMailWaker({ queues, onError });
}

/** What sends mails in a worker, by the transports that are configured. */
export async function createMailWork(
  {
    config,
    logger,
    mails,
    mailWaker,
  }: Pick<Foundation, 'config' | 'logger' | 'mails' | 'mailWaker'>,
  issueReset: IssueReset,
  opened: AsyncDisposableStack,
): Promise<{
  readonly sendMail: (job: MailJob, shutdown: AbortSignal) => Promise<void>;
  readonly sweep: Sweep;
}> {
  const mailer = await openMailer(config, logger, opened);
  const { portalUrl, resetUrlBase, timeoutMs } = config.mail;
  const portal = { portalUrl, resetUrlBase, resetTtlS: config.auth.resetTtlS };
  const render = createRenderer({ portal, issueReset });
  const leaseMs = LEASE_TIMEOUTS * timeoutMs;
  return {
    sendMail: createMailProcessor({ mails, mailer, render, leaseMs, logger }),
    sweep: {
      everyMs: SWEEP_MS,
      run: createMailSweep({ mails, mailer, enqueue: mailWaker.enqueue }),
    },
  };
}

async function openMailer(
  { mail }: Config,
  logger: Logger,
  opened: AsyncDisposableStack,
): Promise<Mailer> {
  const { smtp, resend, toConsole, from, timeoutMs } = mail;
  const transports: MailTransport[] = [];
  if (smtp) {
    const ca = smtp.caFile === undefined ? undefined : await readFile(smtp.caFile, 'utf8');
    transports.push(createSmtpTransport({ ...smtp, ca, from, timeoutMs }));
  }
  if (resend) transports.push(opened.use(createResendTransport({ ...resend, from, timeoutMs })));
  if (toConsole) {
    logger.warn('mails that nothing else takes are printed, with the links in them');
    transports.push(createConsoleTransport((text) => process.stderr.write(text)));
  }
  if (transports.length === 0) logger.warn('no mail leaves: there is neither SMTP nor Resend');
  return createMailer(transports);
}
