import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';

import { createSecretCheck, SECRET_HEADER } from '../clients/velocity/secret.ts';
import { ControlPlaneError } from '../errors.ts';
import type { Gate } from './endpoint.ts';

/**
 * For the bridge of Velocity alone. Whoever does not know the secret is refused first, so that
 * strangers cannot use up what the bridge may send.
 */
export function createBridgeGate(options: {
  readonly secret: string;
  readonly reportsPerS: number;
}): Gate {
  const isOurs = createSecretCheck(options.secret);
  const quota = new RateLimiterMemory({ points: options.reportsPerS, duration: 1 });
  return {
    scheme: 'bridgeSecret',
    async admit(header) {
      if (!isOurs(header(SECRET_HEADER))) {
        throw new ControlPlaneError('unauthenticated', 'this is for the bridge');
      }
      await quota.consume('bridge').catch((reason: unknown) => {
        if (!(reason instanceof RateLimiterRes)) throw reason;
        const message = `more than ${options.reportsPerS} reports in a second`;
        throw new ControlPlaneError('limit_exceeded', message);
      });
    },
  };
}
