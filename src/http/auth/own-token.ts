import { createHash, timingSafeEqual } from 'node:crypto';

import { ControlPlaneError, NotFoundError } from '../../errors.ts';
import type { Gate } from '../endpoint.ts';

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

/** What is not configured is not there. @throws NotFoundError */
export const closedGate = (scheme: Gate['scheme'], variable: string): Gate => ({
  scheme,
  admit() {
    throw new NotFoundError(`there is nothing here: ${variable} is not set`);
  },
});

/** For an endpoint whose callers bring the token that `variable` holds. */
export function gateFor(token: string | undefined, variable: string): Gate {
  if (token === undefined) return closedGate('ownToken', variable);
  const admitToken = createTokenGate(token);
  return { scheme: 'ownToken', admit: (header) => admitToken(header('authorization')) };
}
