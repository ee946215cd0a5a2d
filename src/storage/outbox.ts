import type { Pool } from 'pg';

import { createQuery } from './query.ts';

export interface OutboxEntry {
  readonly key: string;
  readonly instanceId: string;
  readonly kind: string;
  readonly params: unknown;
}

export interface ClaimedEffect extends OutboxEntry {
  /** Since it was asked for, by the database's clock. */
  readonly ageMs: number;
}

/**
 * Effects that are asked for and not known to have ended. Who performs one holds a lease, which
 * ends by itself if its holder dies; a lease is a courtesy that saves work, never a promise that
 * nobody else performs the same effect.
 */
export interface Outbox {
  /** null: the effect has ended, or somebody else holds it. */
  claim(key: string, token: string, leaseMs: number): Promise<ClaimedEffect | null>;
  /** false: the lease is lost. */
  renew(key: string, token: string, leaseMs: number): Promise<boolean>;
  release(key: string, token: string): Promise<void>;
  /** Effects that nobody holds and that are older than `ageMs`, by key, beyond the key `after`. */
  listUnheld(options: {
    ageMs: number;
    limit: number;
    after?: string;
  }): Promise<readonly OutboxEntry[]>;
}

const ENTRY = 'key, instance_id AS "instanceId", kind, params';

export function createOutbox(pool: Pool): Outbox {
  const query = createQuery(pool);

  return {
    async claim(key, token, leaseMs) {
      const { rows } = await query<ClaimedEffect>(
        `UPDATE effect SET lease_token = $2, claims = claims + 1,
           leased_until = now() + $3 * interval '1 millisecond'
         WHERE key = $1 AND (leased_until IS NULL OR leased_until < now())
         RETURNING ${ENTRY},
           (extract(epoch FROM now() - created_at) * 1000)::float8 AS "ageMs"`,
        [key, token, leaseMs],
        'claim an effect',
      );
      return rows[0] ?? null;
    },
    async renew(key, token, leaseMs) {
      const { rowCount } = await query(
        `UPDATE effect SET leased_until = now() + $3 * interval '1 millisecond'
         WHERE key = $1 AND lease_token = $2`,
        [key, token, leaseMs],
        'renew a lease',
      );
      return rowCount === 1;
    },
    async release(key, token) {
      await query(
        'UPDATE effect SET leased_until = NULL, lease_token = NULL WHERE key = $1 AND lease_token = $2',
        [key, token],
        'release a lease',
      );
    },
    async listUnheld({ ageMs, limit, after = '' }) {
      const { rows } = await query<OutboxEntry>(
        `SELECT ${ENTRY} FROM effect
         WHERE (leased_until IS NULL OR leased_until < now())
           AND created_at < now() - $1 * interval '1 millisecond'
           AND key > $3
         ORDER BY key LIMIT $2`,
        [ageMs, limit, after],
        'list effects',
      );
      return rows;
    },
  };
}
