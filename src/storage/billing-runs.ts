import type { Pool } from 'pg';

import { toStorageError } from './failures.ts';
import { createQuery } from './query.ts';

export interface BillingRun {
  readonly id: string;
  readonly kind: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  /** null: it runs. */
  readonly outcome: 'succeeded' | 'failed' | 'abandoned' | null;
  readonly result: unknown;
}

/** Runs of the billing schedule: at most one of a kind at a time in the whole fleet. */
export interface BillingRuns {
  /** null: one of this kind runs already. One whose node died is `abandoned` once its lease is over. */
  begin(run: { kind: string; token: string; leaseMs: number }): Promise<BillingRun | null>;
  /** false: the lease is lost. */
  renew(id: string, token: string, leaseMs: number): Promise<boolean>;
  finish(
    id: string,
    token: string,
    end: { outcome: 'succeeded' | 'failed'; result: unknown },
  ): Promise<void>;
  find(id: string): Promise<BillingRun | null>;
  /** The latest first. */
  list(limit: number): Promise<readonly BillingRun[]>;
  forget(ageMs: number): Promise<number>;
}

const RUN = `id, kind, started_at AS "startedAt", finished_at AS "finishedAt", outcome, result`;

/** Two nodes that begin at the same moment do so one after the other. */
const LOCK = `SELECT pg_advisory_xact_lock(hashtext('billing_run'), hashtext($1))`;

export function createBillingRuns(pool: Pool): BillingRuns {
  const query = createQuery(pool);

  async function begin(
    client: Pick<Pool, 'query'>,
    { kind, token, leaseMs }: { kind: string; token: string; leaseMs: number },
  ): Promise<BillingRun | null> {
    await client.query(LOCK, [kind]);
    await client.query(
      `UPDATE billing_run SET finished_at = now(), outcome = 'abandoned'
       WHERE kind = $1 AND finished_at IS NULL AND leased_until < now()`,
      [kind],
    );
    const { rows } = await client.query<BillingRun>(
      `INSERT INTO billing_run (kind, lease_token, leased_until)
       SELECT $1, $2, now() + $3 * interval '1 millisecond'
       WHERE NOT EXISTS (SELECT FROM billing_run WHERE kind = $1 AND finished_at IS NULL)
       RETURNING ${RUN}`,
      [kind, token, leaseMs],
    );
    return rows[0] ?? null;
  }

  return {
    async begin(run) {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const begun = await begin(client, run);
        await client.query('COMMIT');
        return begun;
      } catch (error) {
        await client.query('ROLLBACK').catch(() => {});
        throw toStorageError(error, 'begin a billing run');
      } finally {
        client.release();
      }
    },
    async renew(id, token, leaseMs) {
      const { rowCount } = await query(
        `UPDATE billing_run SET leased_until = now() + $3 * interval '1 millisecond'
         WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL`,
        [id, token, leaseMs],
        'renew a billing run',
      );
      return rowCount === 1;
    },
    async finish(id, token, { outcome, result }) {
      await query(
        `UPDATE billing_run SET finished_at = now(), outcome = $3, result = $4
         WHERE id = $1 AND lease_token = $2 AND finished_at IS NULL`,
        [id, token, outcome, JSON.stringify(result)],
        'finish a billing run',
      );
    },
    async find(id) {
      const text = `SELECT ${RUN} FROM billing_run WHERE id = $1`;
      return (await query<BillingRun>(text, [id], 'find a billing run')).rows[0] ?? null;
    },
    async list(limit) {
      const text = `SELECT ${RUN} FROM billing_run ORDER BY started_at DESC LIMIT $1`;
      return (await query<BillingRun>(text, [limit], 'list billing runs')).rows;
    },
    async forget(ageMs) {
      const { rowCount } = await query(
        `DELETE FROM billing_run WHERE finished_at < now() - $1 * interval '1 millisecond'`,
        [ageMs],
        'forget billing runs',
      );
      return rowCount ?? 0;
    },
  };
}
