import type { Pool } from 'pg';

import type { ActorEvent } from '../actors/address.ts';
import { toStorageError } from './failures.ts';

export interface DueTimer {
  readonly instanceId: string;
  readonly timerId: string;
  readonly generation: number;
  readonly event: ActorEvent;
}

export interface Timers {
  /** Timers whose time has come by the database's clock, the most overdue first. */
  listDue(options: { limit: number; instanceId?: string }): Promise<readonly DueTimer[]>;
}

export function createTimers(pool: Pool): Timers {
  return {
    async listDue({ limit, instanceId }) {
      const { rows } = await pool
        .query<DueTimer>(
          `SELECT instance_id AS "instanceId", timer_id AS "timerId", generation, event
           FROM timer WHERE due_at <= now() AND ($2::text IS NULL OR instance_id = $2)
           ORDER BY due_at LIMIT $1`,
          [limit, instanceId ?? null],
        )
        .catch((error: unknown) => {
          throw toStorageError(error, 'list due timers');
        });
      return rows;
    },
  };
}
