/** Events that Stripe posts to us: only what it has signed, and lately, is read. */
import Stripe from 'stripe';
import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';

const TOLERANCE_S = 300;

export interface StripeEvent {
  readonly id: string;
  readonly type: string;
  /** Unix ms, in whole seconds: order says little between events of one moment. */
  readonly createdAt: number;
  /** Whom it is about, if about a customer at all. */
  readonly customerId: string | null;
  /** What it is about. The rest is read from Stripe; some events bring links that open a page. */
  readonly payload: { readonly object: string | null; readonly id: string | null };
}

const named = z.union([z.string(), z.object({ id: z.string() }).transform(({ id }) => id)]);
const event = z.object({
  id: z.string().min(1),
  type: z.string().min(1),
  created: z.number(),
  data: z.object({
    object: z.object({
      id: z.string().optional(),
      object: z.string().optional(),
      customer: named.nullish(),
    }),
  }),
});

interface Reading {
  readonly secret: string;
  /** Unix ms. */
  readonly now: number;
}

/** @throws InvalidInputError unless `signature` is right for `rawBody` and not too old. */
export function readEvent(
  { secret, now }: Reading,
  { rawBody, signature }: { readonly rawBody: Buffer; readonly signature: string | undefined },
): StripeEvent {
  const parsed = event.safeParse(verify(rawBody, signature ?? '', { secret, now }));
  if (!parsed.success) throw new InvalidInputError('what was signed is not an event');
  const { id, type, created, data } = parsed.data;
  const { object } = data;
  const self = object.object === 'customer' ? (object.id ?? null) : null;
  const payload = { object: object.object ?? null, id: object.id ?? null };
  return { id, type, createdAt: created * 1000, customerId: object.customer ?? self, payload };
}

function verify(rawBody: Buffer, signature: string, { secret, now }: Reading): unknown {
  try {
    return Stripe.webhooks.constructEvent(
      rawBody,
      signature,
      secret,
      TOLERANCE_S,
      undefined,
      now,
    ) as unknown;
  } catch (error) {
    // Rebuilt, since the SDK's own error carries the body and the signature.
    const cause = new Error(error instanceof Error ? error.message.slice(0, 100) : 'unknown');
    throw new InvalidInputError('the signature of the event is not right, or too old', { cause });
  }
}
