import { z } from 'zod';

import type { StripeClient } from '../../clients/stripe/client.ts';
import type { StripeEvents } from '../../storage/stripe-events.ts';
import { type AnyEndpoint, nothing, publicEndpoint } from '../endpoint.ts';

/** Larger than any event of Stripe. */
const BODY_MAX = 1024 * 1024;

/**
 * Stripe knocks here. Its event is written down and answered; a worker acts on it, so that a slow
 * database of ours is no reason for Stripe to knock again.
 */
export function billingWebhookEndpoints({
  stripe,
  events,
  processSoon,
}: {
  readonly stripe: Pick<StripeClient, 'readEvent'>;
  readonly events: Pick<StripeEvents, 'store'>;
  /** Only a hint. */
  readonly processSoon: () => void;
}): AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'receiveStripeEvent',
      summary: 'Events of the payment service, signed by it',
      tag: 'billing',
      method: 'post',
      path: '/api/billing/webhook',
      params: nothing,
      query: nothing,
      body: z.object({ bytes: z.instanceof(Buffer), signature: z.string().optional() }),
      signedBy: 'Stripe-Signature',
      bodyMax: BODY_MAX,
      replies: { 200: z.object({ ok: z.literal(true), isNew: z.boolean() }) },
      problems: ['invalid_input', 'body_too_large', 'unavailable'],
      async handle({ body: { bytes, signature } }) {
        const event = stripe.readEvent(bytes, signature);
        const isNew = await events.store(event);
        processSoon();
        return { status: 200, body: { ok: true, isNew } };
      },
    }),
  ];
}
