import { createHmac, timingSafeEqual } from 'node:crypto';

import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';

/** What Resend tells us of a mail that it has taken. */
export interface ResendEvent {
  /** `email.bounced`, `email.complained`, … */
  readonly type: string;
  /** As it named the mail when it took it; null: it is about something else. */
  readonly messageId: string | null;
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
  data: z.object({ email_id: z.string().optional() }).optional(),
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
  return parse(bytes);
}

function parse(bytes: Buffer): ResendEvent {
  try {
    const { type, data } = event.parse(JSON.parse(bytes.toString('utf8')));
    return { type, messageId: data?.email_id ?? null };
  } catch (cause) {
    throw new InvalidInputError('the body is not an event', { cause });
  }
}

const unsigned = () =>
  new InvalidInputError('svix-signature: expected one of this body, made in the last 300 s', {
    details: { errors: [{ field: 'svix-signature', message: 'does not sign this body' }] },
  });
