import { randomUUID } from 'node:crypto';

import { readResendEvent } from '../clients/mail/resend-events.ts';
import type { Limits } from '../http/auth/limits.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { mailWebhookEndpoints } from '../http/routes/mail-webhook.ts';
import { mailEndpoints } from '../http/routes/mails.ts';
import { supportEndpoints } from '../http/routes/support.ts';
import { createSupportLimit } from '../http/support-limit.ts';
import type { Foundation } from './foundation.ts';

/** Mails to us, and what administrators see of those that we send. */
export function createMailEndpoints(
  { config, mails, sendMail, now }: Pick<Foundation, 'config' | 'mails' | 'sendMail' | 'now'>,
  limits: Limits,
): readonly AnyEndpoint[] {
  const { resendWebhookSecret: secret } = config.mail;
  return [
    ...supportEndpoints({
      sendMail,
      supportAddress: config.mail.supportAddress,
      admit: createSupportLimit(limits),
      randomKey: randomUUID,
    }),
    ...mailEndpoints({ mails }),
    ...(secret === undefined
      ? []
      : mailWebhookEndpoints({
          ...{ mails, now },
          readEvent: (signed) => readResendEvent({ secret, now: now() }, signed),
        })),
  ];
}
