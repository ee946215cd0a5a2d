import { createHash } from 'node:crypto';

import { z } from 'zod';

import type { MailOrder } from '../../storage/mail-order.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';
import type { AdmitSupport } from '../support-limit.ts';

export interface SupportEndpointDependencies {
  readonly sendMail: (order: MailOrder) => Promise<void>;
  /** Who reads what customers write. */
  readonly supportAddress: string;
  readonly admit: AdmitSupport;
  readonly randomKey: () => string;
}

const line = (max: number) => plainText.trim().min(1).max(max);
/** All that a terminal can show, and line breaks. */
const text = z.string().regex(/^[\P{Cc}\r\n\t]*$/u, 'expected no control characters');

const request = z.object({
  name: line(100),
  email: z.email().max(254),
  subject: line(200),
  message: text.trim().min(1).max(10_000),
});

export function supportEndpoints({
  sendMail,
  supportAddress,
  admit,
  randomKey,
}: SupportEndpointDependencies): readonly AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'createSupportRequest',
      summary: 'Write to support',
      tag: 'support',
      method: 'post',
      path: '/api/support/create',
      params: nothing,
      query: nothing,
      body: request,
      reads: ['Idempotency-Key'],
      replies: { 200: z.object({ ok: z.literal(true) }) },
      problems: ['invalid_input', 'limit_exceeded', 'body_too_large', 'unavailable'],
      async handle({ body, headers: { idempotencyKey }, caller }) {
        await admit(body, caller);
        const key = idempotencyKey === null ? randomKey() : digest(idempotencyKey, body);
        await sendMail({
          key: `support/${key}`,
          kind: 'support_request',
          recipient: supportAddress,
          params: body,
        });
        return { status: 200, body: { ok: true } };
      },
    }),
  ];
}

/** Nobody is signed in here, so somebody else's key must not silence what is written. */
function digest(idempotencyKey: string, body: z.output<typeof request>): string {
  const { name, email, subject, message } = body;
  const written = JSON.stringify([idempotencyKey, name, email, subject, message]);
  return createHash('sha256').update(written).digest('hex');
}
