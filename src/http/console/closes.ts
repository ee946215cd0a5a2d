/**
 * Why we close a console, and what whoever is closed on does then: come back after `retryAfterS`,
 * or not by itself (null). docs/console.md has the same table.
 */
export const CLOSES = {
  auth_expired: { code: 4401, retryAfterS: 0 },
  suspended: { code: 4402, retryAfterS: null },
  revoked: { code: 4403, retryAfterS: null },
  deleted: { code: 4410, retryAfterS: null },
  overloaded: { code: 4429, retryAfterS: 5 },
  agent_gone: { code: 4503, retryAfterS: 10 },
  shutting_down: { code: 1012, retryAfterS: 1 },
} as const satisfies Readonly<Record<string, { code: number; retryAfterS: number | null }>>;

export type CloseReason = keyof typeof CLOSES;

/** What stands in the close frame, in at most 123 bytes. */
export const closeText = (reason: CloseReason): string =>
  JSON.stringify({ reason, retryAfterS: CLOSES[reason].retryAfterS });
