/** https://resend.com/docs/api-reference/emails/send-email */
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import {
  type Answer,
  createExchange,
  explainTransport,
  parseJson,
  type TransportReason,
} from '../exchange.ts';
import type { MailTransport } from './client.ts';
import { type MailReason, mailError } from './failure.ts';

export interface ResendOptions {
  readonly baseUrl: URL;
  readonly apiKey: string;
  /** `Name <address>` */
  readonly from: string;
  readonly timeoutMs: number;
}

const ANSWER_BYTES_MAX = 64 * 1024;
const taken = z.object({ id: z.string() });
const refusal = z.object({ name: z.string().regex(/^\w{1,60}$/) });

/** Under one key Resend takes a mail once, for a day: longer than we ever try. */
export function createResendTransport(options: ResendOptions): MailTransport & AsyncDisposable {
  const { apiKey, from } = options;
  const exchange = createExchange({
    baseUrl: options.baseUrl,
    // Without the name of a client, a proxy in front of it refuses every call.
    headers: { authorization: `Bearer ${apiKey}`, 'user-agent': 'zpack' },
    timeoutMs: options.timeoutMs,
    answerBytesMax: ANSWER_BYTES_MAX,
    connectionsMax: 4,
  });
  return {
    name: 'resend',
    isRepeatable: true,
    async send({ id, to, replyTo, subject, text, html }, { begin, signal, only }) {
      const body = {
        ...{ from, to: [to], subject, text, html },
        ...(replyTo && { reply_to: replyTo.address }),
        headers: { 'X-Entity-Ref-ID': id },
        // What it tells us later names the mail by this, also if its answer is lost now.
        tags: [{ name: 'mail', value: id }],
      };
      signal?.throwIfAborted();
      await begin('resend');
      // From here on whoever shuts us down waits: to give up would lose the answer.
      const answer = await exchange
        .send({
          method: 'POST',
          path: '/emails',
          body: JSON.stringify(body),
          headers: { 'idempotency-key': id },
          isRead: false,
        })
        .catch((error: unknown) => {
          throw noAnswer(error);
        });
      const said = parseJson(answer.text);
      if (answer.status >= 200 && answer.status <= 299) {
        return { transport: 'resend', messageId: taken.safeParse(said).data?.id ?? null };
      }
      const name = refusal.safeParse(said).data?.name;
      // The words of an earlier attempt, whose answer was lost, differed: so it has been taken.
      if (name === 'invalid_idempotent_request' && only === 'resend') {
        return { transport: 'resend', messageId: null };
      }
      throw refused(answer, name);
    },
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

const NEVER_TAKEN: Partial<Record<TransportReason, MailReason>> = {
  not_connected: 'not_connected',
  certificate_refused: 'certificate_refused',
};

function noAnswer(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { reason, cause } = explainTransport(error);
  return mailError('resend', NEVER_TAKEN[reason] ?? 'answer_lost', { cause });
}

/** Its words may repeat ours, so only its name for the mistake is kept. */
function refused({ status }: Answer, name: string | undefined): UpstreamError {
  const options = { status: name === undefined ? String(status) : `${status} ${name}` };
  return mailError('resend', reasonOf(status, name), options);
}

function reasonOf(status: number, name: string | undefined): MailReason {
  if (status >= 500 || name === 'concurrent_idempotent_requests') return 'answer_lost';
  if (status === 401 || status === 403) return 'unauthenticated';
  if (status === 409 || status === 429) return 'refused_for_now';
  return 'message_refused';
}
