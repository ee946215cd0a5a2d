import { createHash, timingSafeEqual } from 'node:crypto';

import { ControlPlaneError } from '../../errors.ts';

const digestOf = (text: string) => createHash('sha256').update(text).digest();

/**
 * For machines that bring a token of the configuration. How long a refusal takes says nothing of
 * the token: what is compared are digests, which are all of one length.
 * @throws ControlPlaneError `unauthenticated`
 */
export function createTokenGate(token: string): (authorization: string | undefined) => void {
  const expected = digestOf(`Bearer ${token}`);
  return (authorization) => {
    if (timingSafeEqual(digestOf(authorization ?? ''), expected)) return;
    throw new ControlPlaneError('unauthenticated', 'the token of the configuration is required');
  };
}
