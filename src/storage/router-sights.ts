import type { Redis } from 'ioredis';
import type { Pool } from 'pg';

import { toStorageError } from './failures.ts';
import { createKeptJson, type KeptJson } from './kept-json.ts';

/** When Traefik last asked for its routes, and up to which journal entry they went. */
export interface RouterSighting {
  readonly seq: number;
  /** Unix ms. */
  readonly at: number;
}

/**
 * What Traefik was given last. Kept in Redis, for the workers of all nodes: Traefik asks every
 * few seconds, so what is lost is known again at once.
 */
export interface RouterSights extends KeptJson<RouterSighting> {
  servedUpTo(): Promise<number | null>;
  /** The place in the journal of what this instance is now. */
  latestStep(instanceId: string): Promise<number>;
}

const LATEST_STEP = `SELECT seq FROM journal WHERE instance_id = $1 ORDER BY version DESC LIMIT 1`;

export function createRouterSights(options: {
  readonly redis: Redis;
  readonly prefix: string;
  readonly pool: Pool;
}): RouterSights {
  const { redis, prefix, pool } = options;
  const kept = createKeptJson<RouterSighting>(
    redis,
    `${prefix}:router:1`,
    'what Traefik was given',
  );
  return {
    ...kept,
    servedUpTo: async () => (await kept.latest())?.seq ?? null,
    async latestStep(instanceId) {
      const query = { name: 'latest_step', text: LATEST_STEP, values: [instanceId] };
      const { rows } = await pool.query<{ seq: string }>(query).catch((error: unknown) => {
        throw toStorageError(error, 'find the latest step of an instance');
      });
      return Number(rows[0]?.seq ?? 0);
    },
  };
}
