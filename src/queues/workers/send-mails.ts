import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';

import type { Mailer } from '../../clients/mail/client.ts';
import { ControlPlaneError, UpstreamError } from '../../errors.ts';
import type { ClaimedMail, MailOutcome, Mails } from '../../storage/mails.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Render } from '../mail/render.ts';

/** Pauses between attempts: more than an hour together, and there is one attempt more than them. */
const PAUSES_MS = [15_000, 60_000, 240_000, 900_000, 2_400_000];
const ATTEMPTS_MAX = PAUSES_MS.length + 1;
const BATCH_MAX = 200;

const mailJob = z.object({ id: z.string() });
const address = z.email().max(254);

interface Dependencies {
  readonly mails: Mails;
  readonly mailer: Mailer;
  readonly render: Render;
  /** Longer than any attempt: who lives must not be taken for dead. */
  readonly leaseMs: number;
  readonly logger: Logger;
}

export interface MailJob {
  readonly data: unknown;
}

/** Somebody else has taken this mail over, because we took too long. */
class Superseded extends Error {
  override readonly name = 'Superseded';
}

/**
 * Sends one mail at most once. It is claimed before, and again at the moment it leaves: what ends
 * in between is not sent, what ends after it is not sent again.
 */
export function createMailProcessor(dependencies: Dependencies) {
  const { mails, mailer, render, leaseMs, logger } = dependencies;

  async function send(mail: ClaimedMail, shutdown: AbortSignal): Promise<MailOutcome> {
    const message = await render(mail);
    if (!message) return { state: 'void' };
    if (!address.safeParse(message.to).success) {
      return { state: 'failed', error: 'recipient_invalid' };
    }
    const sent = await mailer.send(message, {
      signal: shutdown,
      only: mail.transport,
      async begin(transport) {
        if (!(await mails.begin(mail, transport))) throw new Superseded();
      },
    });
    return { state: 'sent', ...sent };
  }

  return async (job: MailJob, shutdown: AbortSignal): Promise<void> => {
    const data = mailJob.safeParse(job.data);
    if (!data.success) throw new UnrecoverableError(z.prettifyError(data.error));
    if (shutdown.aborted) return;
    const mail = await mails.claim(data.data.id, leaseMs);
    if (!mail) return;
    const outcome = await send(mail, shutdown).catch((error: unknown) => {
      if (error instanceof Superseded) return null;
      if (error === shutdown.reason) return handBack(mail);
      logger.warn({ mail: mail.id, kind: mail.kind, err: error }, 'a mail was not sent');
      return toOutcome(mail, error);
    });
    if (outcome) await mails.finish(mail, outcome);
  };
}

const handBack = ({ transport }: ClaimedMail): MailOutcome => ({
  state: 'queued',
  delayMs: 0,
  error: null,
  transport,
});

function toOutcome(mail: ClaimedMail, failure: unknown): MailOutcome {
  const reason = failure instanceof UpstreamError ? failure.reason : undefined;
  const error = errorOf(failure);
  if (reason === 'recipient_refused') return { state: 'bounced', error };
  if (reason === 'maybe_taken') return { state: 'uncertain', error };
  const transport = reason === 'answer_lost' ? 'resend' : mail.transport;
  // A bug of ours may be that of one release: another one may know better.
  const isRetryable = !(failure instanceof ControlPlaneError) || failure.retryable;
  const delayMs = PAUSES_MS[mail.attempts - 1];
  if (isRetryable && delayMs !== undefined) return { state: 'queued', delayMs, error, transport };
  return { state: transport === null ? 'failed' : 'uncertain', error };
}

/** Without a word that is not ours: an answer may quote what we sent. */
function errorOf(failure: unknown): string {
  if (!(failure instanceof ControlPlaneError)) return 'internal_error';
  if (!(failure instanceof UpstreamError)) return failure.code;
  return failure.reason === 'not_configured' ? failure.reason : failure.message;
}

/** Finds mails that were not enqueued, whose pause is over, or whose sender has died. */
export function createMailSweep({
  mails,
  mailer,
  enqueue,
}: {
  readonly mails: Pick<Mails, 'listDue' | 'succeedDead'>;
  readonly mailer: Pick<Mailer, 'repeatable'>;
  readonly enqueue: (ids: readonly string[]) => Promise<void>;
}) {
  return async (): Promise<void> => {
    await mails.succeedDead({ repeatable: mailer.repeatable, attemptsMax: ATTEMPTS_MAX });
    await enqueue(await mails.listDue(BATCH_MAX));
  };
}
