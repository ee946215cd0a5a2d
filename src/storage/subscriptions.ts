import type { Pool } from 'pg';

import type { Step } from '../actors/store.ts';
import { subscriptionOf } from '../machines/index.ts';
import type { SubscriptionContext } from '../machines/subscription/types.ts';
import { toRow } from './actor-store.ts';
import { CREATE_SUBSCRIPTION } from './commit-subscriptions.ts';
import { createQuery } from './query.ts';

export interface SubscriptionRow {
  readonly userId: string;
  readonly version: number;
  readonly status: string;
  readonly context: SubscriptionContext;
}

export interface Subscriptions {
  /** The first step of an actor; `repeated`: there is one already. */
  create(userId: string, step: Step): Promise<'created' | 'repeated'>;
  find(userId: string): Promise<SubscriptionRow | null>;
  /** By user, beyond `after`. */
  page(options: { after: string; limit: number }): Promise<readonly SubscriptionRow[]>;
}

const ROW = `user_id AS "userId", version, status, snapshot -> 'context' AS context`;

export function createSubscriptions(pool: Pool): Subscriptions {
  const query = createQuery(pool);
  return {
    async create(userId, step) {
      const rows = JSON.stringify([{ ...toRow(step), userId }]);
      const { rowCount } = await query(CREATE_SUBSCRIPTION, [rows], 'create a subscription');
      return rowCount === 1 ? 'created' : 'repeated';
    },
    async find(userId) {
      const text = `SELECT ${ROW} FROM subscription WHERE id = $1`;
      const { id } = subscriptionOf(userId);
      return (await query<SubscriptionRow>(text, [id], 'find a subscription')).rows[0] ?? null;
    },
    async page({ after, limit }) {
      const text = `SELECT ${ROW} FROM subscription WHERE user_id > $1 ORDER BY user_id LIMIT $2`;
      return (await query<SubscriptionRow>(text, [after, limit], 'list subscriptions')).rows;
    },
  };
}
