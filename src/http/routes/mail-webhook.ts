import { z } from 'zod';

import type { ResendEvent, SignedBody } from '../../clients/mail/resend-events.ts';
import type { Mails } from '../../storage/mails.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';

const BODY_MAX = 256 * 1024;
/** It will not arrive, or its reader does not want it: nothing more should go there. */
const CAME_BACK = ['email.bounced', 'email.complained'];

export interface MailWebhookDependencies {
  /** @throws InvalidInputError if it is not signed */
  readonly readEvent: (signed: SignedBody) => ResendEvent;
  readonly mails: Pick<Mails, 'returned'>;
}

/** Resend knocks here: an address may turn out to be nobody's long after it has taken the mail. */
export function mailWebhookEndpoints({ readEvent, mails }: MailWebhookDependencies): AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'receiveMailEvent',
      summary: 'Mails that came back, signed by the mail service',
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
        const { type, messageId } = readEvent({ bytes, signature, id, timestamp });
        const isBack = messageId !== null && CAME_BACK.includes(type);
        const isKnown = isBack && (await mails.returned({ transport: 'resend', messageId, type }));
        return { status: 200, body: { ok: true, isKnown } };
      },
    }),
  ];
}
