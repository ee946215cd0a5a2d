import { createHmac, timingSafeEqual } from 'node:crypto';

import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';

/** What Resend tells us of a mail that it has taken. */
export interface ResendEvent {
  /** `email.bounced`, `email.complained`, … */
  readonly type: string;
  /** As it named the mail when it took it; null: it is about something else. */
  readonly messageId: string | null;
  /** As we named it. */
  readonly mailId: string | null;
  /** Unix ms. */
  readonly at: number;
}

export interface SignedBody {
  readonly bytes: Buffer;
  /** The headers `svix-id`, `svix-timestamp` (Unix s) and `svix-signature`. */
  readonly id: string | undefined;
  readonly timestamp: string | undefined;
  readonly signature: string | undefined;
}

/** Either way: an event may be only so old, and clocks differ. */
const TOLERANCE_S = 300;

const event = z.object({
  type: z.string(),
  created_at: z.string().optional(),
  data: z
    .object({
      email_id: z.string().optional(),
      tags: z.record(z.string(), z.string()).catch({}).optional(),
    })
    .optional(),
});

/**
 * Reads an event that was signed as https://docs.svix.com/receiving/verifying-payloads/how-manual
 * says: HMAC-SHA256 of `id.timestamp.body`, with the key behind `whsec_`.
 * @throws InvalidInputError unless it was signed with `secret` in the last 300 seconds
 */
export function readResendEvent(
  { secret, now }: { readonly secret: string; readonly now: number },
  { bytes, id = '', timestamp = '', signature = '' }: SignedBody,
): ResendEvent {
  const age = Math.abs(now / 1000 - Number(timestamp));
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(bytes).digest();
  const isSigned = signature.split(' ').some((one) => {
    const [version, given = ''] = one.split(',', 2);
    const digest = Buffer.from(given, 'base64');
    return (
      version === 'v1' && digest.length === expected.length && timingSafeEqual(digest, expected)
    );
  });
  if (!isSigned || !(age <= TOLERANCE_S)) throw unsigned();
  return parse(bytes, now);
}

function parse(bytes: Buffer, now: number): ResendEvent {
  try {
    const { type, created_at, data } = event.parse(JSON.parse(bytes.toString('utf8')));
    const at = Date.parse(created_at ?? '');
    return {
      ...{ type, messageId: data?.email_id ?? null, mailId: data?.tags?.['mail'] ?? null },
      at: Number.isNaN(at) ? now : at,
    };
  } catch (cause) {
    throw new InvalidInputError('the body is not an event', { cause });
  }
}

const unsigned = () =>
  new InvalidInputError('svix-signature: expected one of this body, made in the last 300 s', {
    details: { errors: [{ field: 'svix-signature', message: 'does not sign this body' }] },
  });
