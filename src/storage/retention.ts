import type { Pool } from 'pg';

import { createQuery } from './query.ts';

/** How long what has ended can be looked at, in days. */
export interface RetentionDays {
  readonly audit: number;
  readonly mails: number;
}

/** Sessions, API tokens and links that have ended: what became of them is in the audit, too. */
const ENDED_DAYS = 30;
/** A statement deletes so many, so that none holds its locks for long. */
const BATCH_MAX = 5_000;

const before = (column: string) => `${column} < now() - $1 * interval '1 day'`;
const removing = (table: string, key: string, which: string) =>
  `DELETE FROM ${table} WHERE ${key} IN (SELECT one.${key} FROM ${table} one ${which} LIMIT $2)`;
const HAS_ENDED = `(${before('expires_at')} OR ${before('revoked_at')})`;

/** In this order: what refers to something goes before it. */
const STATEMENTS = {
  refreshTokens: removing(
    'refresh_token',
    'hash',
    `JOIN session ON session.id = one.session_id WHERE ${HAS_ENDED}`,
  ),
  sessions: removing(
    'session',
    'id',
    `WHERE ${HAS_ENDED} AND NOT EXISTS (SELECT FROM refresh_token WHERE session_id = one.id)`,
  ),
  apiTokens: removing('api_token', 'id', `WHERE ${HAS_ENDED}`),
  resets: removing('password_reset', 'hash', `WHERE ${before('expires_at')}`),
  mails: removing('mail', 'id', `WHERE ${before('finished_at')}`),
  audit: removing('audit_entry', 'id', `WHERE ${before('at')}`),
  // Each comparison with Stripe is two steps that mostly say what was known.
  comparisons: `DELETE FROM subscription_journal WHERE (instance_id, version) IN (
    SELECT instance_id, version FROM subscription_journal
    WHERE ${before('at')} AND event ->> 'type' IN ('stripe.changed', 'subscription.observed')
    LIMIT $2)`,
} as const;
type Kept = keyof typeof STATEMENTS;

export type Forgotten = Readonly<Record<Kept, number>>;

/** Deletes what has ended so long ago that nobody looks at it any more. Answers how much of each. */
export function createRetention(pool: Pool, days: RetentionDays) {
  const query = createQuery(pool);
  const daysOf = (kept: Kept) =>
    kept === 'audit' ? days.audit : kept === 'mails' ? days.mails : ENDED_DAYS;
  return async (signal: AbortSignal): Promise<Forgotten> => {
    const forgotten: Record<Kept, number> = {
      ...{ refreshTokens: 0, sessions: 0, apiTokens: 0, resets: 0, mails: 0, audit: 0 },
      comparisons: 0,
    };
    for (const kept of Object.keys(STATEMENTS) as Kept[]) {
      for (let rows = BATCH_MAX; rows >= BATCH_MAX; ) {
        signal.throwIfAborted();
        const values = [daysOf(kept), BATCH_MAX];
        rows = (await query(STATEMENTS[kept], values, `forget ${kept}`)).rowCount ?? 0;
        forgotten[kept] += rows;
      }
    }
    return forgotten;
  };
}
