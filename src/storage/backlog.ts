import type { Pool } from 'pg';

import { toStorageError } from './failures.ts';

export interface Backlog {
  /** Effects that have not ended, by kind. */
  readonly effects: readonly { readonly kind: string; readonly count: number }[];
  /** 0: there are none. */
  readonly oldestEffectMs: number;
  readonly timers: number;
  readonly timersOverdue: number;
  readonly debts: number;
}

const BACKLOG = `
SELECT
  (SELECT COALESCE(jsonb_agg(e), '[]') FROM (
    SELECT kind, count(*) FROM effect GROUP BY kind ORDER BY kind) AS e) AS effects,
  (SELECT COALESCE(extract(epoch FROM now() - min(created_at)) * 1000, 0)::float8 FROM effect)
    AS "oldestEffectMs",
  (SELECT count(*)::float8 FROM timer) AS timers,
  (SELECT count(*)::float8 FROM timer WHERE due_at < now()) AS "timersOverdue",
  (SELECT count(*)::float8 FROM debt) AS debts`;

/** How much waits to be done, in one query. */
export async function readBacklog(pool: Pool): Promise<Backlog> {
  const doing = 'read_backlog';
  const { rows } = await pool
    .query<Backlog>({ name: doing, text: BACKLOG })
    .catch((error: unknown) => {
      throw toStorageError(error, doing);
    });
  return rows[0] as Backlog;
}
