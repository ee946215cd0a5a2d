import { createHash } from 'node:crypto';

import type { KeyedAnswer } from '../actors/store.ts';
import { ControlPlaneError } from '../errors.ts';
import type { InstanceStore } from '../storage/instance-store.ts';

/** A digest of what is asked for: the same request, whatever the order of its members. */
export function fingerprintOf(request: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(members)).digest('hex');
}

/**
 * What the first request of this key was answered; null if this is the first.
 * @throws ControlPlaneError `idempotency_key_reused` if that was another request
 */
export async function replayAnswer<Response>(
  answers: Pick<InstanceStore, 'findAnswer'>,
  { userId, key, fingerprint }: Pick<KeyedAnswer, 'userId' | 'key' | 'fingerprint'>,
): Promise<Response | null> {
  const answer = await answers.findAnswer({ userId, key });
  if (!answer) return null;
  if (answer.fingerprint === fingerprint) return answer.response as Response;
  throw keyReused();
}

export const keyReused = () =>
  new ControlPlaneError(
    'idempotency_key_reused',
    'this Idempotency-Key was used for another request',
  );
