import type { Pool } from 'pg';

import { createQuery } from './query.ts';

export interface ReceivedEvent {
  readonly id: string;
  readonly type: string;
  readonly customerId: string | null;
  /** As Stripe dates it, Unix ms. */
  readonly createdAt: number;
  readonly payload: unknown;
}

/** What Stripe told us, once for each of its ids, until somebody has acted on it, and after. */
export interface StripeEvents {
  /** false: it is known already. */
  store(event: ReceivedEvent): Promise<boolean>;
  /** What nobody has acted on yet, by id, beyond `after`. */
  listReceived(options: {
    after: string;
    limit: number;
  }): Promise<readonly Pick<ReceivedEvent, 'id' | 'type' | 'customerId'>[]>;
  settle(ids: readonly string[], state: 'processed' | 'ignored'): Promise<void>;
  /** Answers how many. */
  forget(ageMs: number): Promise<number>;
}

export function createStripeEvents(pool: Pool): StripeEvents {
  const query = createQuery(pool);
  return {
    async store({ id, type, customerId, createdAt, payload }) {
      const { rowCount } = await query(
        `INSERT INTO stripe_event (id, type, customer_id, payload, state, created_at)
         VALUES ($1, $2, $3, $4, 'received', $5) ON CONFLICT (id) DO NOTHING`,
        [id, type, customerId, JSON.stringify(payload), new Date(createdAt)],
        'store an event of Stripe',
      );
      return rowCount === 1;
    },
    async listReceived({ after, limit }) {
      const { rows } = await query<Pick<ReceivedEvent, 'id' | 'type' | 'customerId'>>(
        `SELECT id, type, customer_id AS "customerId" FROM stripe_event
         WHERE state = 'received' AND id > $1 ORDER BY id LIMIT $2`,
        [after, limit],
        'list events of Stripe',
      );
      return rows;
    },
    async settle(ids, state) {
      await query(
        `UPDATE stripe_event SET state = $2, attempts = attempts + 1, processed_at = now()
         WHERE id = ANY($1) AND state = 'received'`,
        [ids, state],
        'settle events of Stripe',
      );
    },
    async forget(ageMs) {
      const { rowCount } = await query(
        `DELETE FROM stripe_event WHERE state <> 'received'
           AND received_at < now() - $1 * interval '1 millisecond'`,
        [ageMs],
        'forget events of Stripe',
      );
      return rowCount ?? 0;
    },
  };
}
