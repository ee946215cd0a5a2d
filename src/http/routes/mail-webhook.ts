import { z } from 'zod';

import type { ResendEvent, SignedBody } from '../../clients/mail/resend-events.ts';
import { UnavailableError } from '../../errors.ts';
import type { Mails } from '../../storage/mails.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';

const BODY_MAX = 256 * 1024;
/** It will not arrive, or its reader does not want it: nothing more should go there. */
const CAME_BACK = ['email.bounced', 'email.complained', 'email.failed', 'email.suppressed'];
const ARRIVED = 'email.delivered';
/** What comes so soon after a mail may be faster than what we write down of having sent it. */
const EARLY_MS = 10 * 60_000;

export interface MailWebhookDependencies {
  /** @throws InvalidInputError if it is not signed */
  readonly readEvent: (signed: SignedBody) => ResendEvent;
  readonly mails: Pick<Mails, 'noteFate'>;
  readonly now: () => number;
}

/** Resend knocks here: an address may turn out to be nobody's long after it has taken the mail. */
export function mailWebhookEndpoints({
  readEvent,
  mails,
  now,
}: MailWebhookDependencies): AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'receiveMailEvent',
      summary: 'What became of mails, signed by the mail service',
      tag: 'support',
      method: 'post',
      path: '/api/mail/webhook/resend',
      params: nothing,
      query: nothing,
      body: z.object({ bytes: z.instanceof(Buffer), signature: z.string().optional() }),
      signedBy: 'svix-signature',
      bodyMax: BODY_MAX,
      replies: { 200: z.object({ ok: z.literal(true), isKnown: z.boolean() }) },
      problems: ['invalid_input', 'body_too_large', 'unavailable'],
      async handle({ body: { bytes, signature }, header }) {
        const [id, timestamp] = [header('svix-id'), header('svix-timestamp')];
        const { type, at, ...mail } = readEvent({ bytes, signature, id, timestamp });
        const hasArrived = type === ARRIVED;
        const isFate = hasArrived || CAME_BACK.includes(type);
        const isKnown = isFate && (await mails.noteFate({ ...mail, hasArrived, type }));
        if (isFate && !isKnown && now() - at < EARLY_MS) {
          throw new UnavailableError('this mail is not known yet: tell of it again');
        }
        return { status: 200, body: { ok: true, isKnown } };
      },
    }),
  ];
}
