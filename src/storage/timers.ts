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
  /** Timers whose time has come by the database's clock, by key, beyond the timer `after`. */
  listDue(options: {
    limit: number;
    instanceId?: string;
    after?: Pick<DueTimer, 'instanceId' | 'timerId'>;
  }): Promise<readonly DueTimer[]>;
}

export function createTimers(pool: Pool): Timers {
  return {
    async listDue({ limit, instanceId, after }) {
      const { rows } = await pool
        .query<DueTimer>(
          `SELECT instance_id AS "instanceId", timer_id AS "timerId", generation, event
           FROM timer WHERE due_at <= now() AND ($2::text IS NULL OR instance_id = $2)
             AND (instance_id, timer_id) > ($3, $4)
           ORDER BY instance_id, timer_id LIMIT $1`,
          [limit, instanceId ?? null, after?.instanceId ?? '', after?.timerId ?? ''],
        )
        .catch((error: unknown) => {
          throw toStorageError(error, 'list due timers');
        });
      return rows;
    },
  };
}
