import assert from 'node:assert/strict';
import { createHash, timingSafeEqual } from 'node:crypto';

/** The header by which the bridge and we know each other, in both directions. */
export const SECRET_HEADER = 'x-zpack-secret';

/** What is sent in place of the shared secret: its SHA-256 as lowercase hex. */
export function hashSecret(secret: string): string {
  // Without one, anybody could compute the header.
  assert(secret !== '', 'the secret shared with the bridge is empty');
  return digest(secret).toString('hex');
}

/** A check of the header of a request that claims to come from the bridge. */
export function createSecretCheck(
  secret: string,
): (header: string | readonly string[] | undefined) => boolean {
  const expected = digest(hashSecret(secret));
  // Digests have the same length whatever was sent, so the time tells nothing, not even a length.
  return (header) => timingSafeEqual(digest(typeof header === 'string' ? header : ''), expected);
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
