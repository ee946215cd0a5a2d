import { randomUUID } from 'node:crypto';

import type { Limits } from '../http/auth/limits.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { mailEndpoints } from '../http/routes/mails.ts';
import { supportEndpoints } from '../http/routes/support.ts';
import { createSupportLimit } from '../http/support-limit.ts';
import type { Foundation } from './foundation.ts';

/** Mails to us, and what administrators see of those that we send. */
export function createMailEndpoints(
  { config, mails, sendMail }: Pick<Foundation, 'config' | 'mails' | 'sendMail'>,
  limits: Limits,
): readonly AnyEndpoint[] {
  return [
    ...supportEndpoints({
      sendMail,
      supportAddress: config.mail.supportAddress,
      admit: createSupportLimit(limits),
      randomKey: randomUUID,
    }),
    ...mailEndpoints({ mails }),
  ];
}
