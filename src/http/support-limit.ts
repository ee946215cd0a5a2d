import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import { ControlPlaneError } from '../errors.ts';

const HOUR_S = 3_600;
/** Of one address, and of all of them together; each node counts for itself. */
const EACH_MAX = 5;
const ALL_MAX = 200;

/** Keeps our own mailbox from being flooded. */
export function createSupportLimit(): (who: { readonly email: string }) => Promise<void> {
  const each = new RateLimiterMemory({ points: EACH_MAX, duration: HOUR_S });
  const all = new RateLimiterMemory({ points: ALL_MAX, duration: HOUR_S });
  return async ({ email }) => {
    try {
      await each.consume(email.toLowerCase());
      await all.consume('all');
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const details = { retryAfterS: Math.ceil(refusal.msBeforeNext / 1000) };
      throw new ControlPlaneError('limit_exceeded', 'too much was written to support of late', {
        details,
      });
    }
  };
}
