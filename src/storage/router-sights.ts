import type { Redis } from 'ioredis';
import type { Pool } from 'pg';

import { UnavailableError } from '../errors.ts';
import { toStorageError } from './failures.ts';

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
export interface RouterSights {
  save(sighting: RouterSighting): Promise<void>;
  /** null: it was not seen yet, or Redis has lost that. */
  latest(): Promise<RouterSighting | null>;
  servedUpTo(): Promise<number | null>;
  /** The place in the journal of what this instance is now. */
  latestStep(instanceId: string): Promise<number>;
}

const TTL_S = 3_600;
const LATEST_STEP = `SELECT seq FROM journal WHERE instance_id = $1 ORDER BY version DESC LIMIT 1`;

export function createRouterSights(options: {
  readonly redis: Redis;
  readonly prefix: string;
  readonly pool: Pool;
}): RouterSights {
  const { redis, prefix, pool } = options;
  const key = `${prefix}:router:1`;
  const away = (cause: unknown) => {
    throw new UnavailableError('Redis, which keeps what Traefik was given, does not answer', {
      cause,
    });
  };
  async function latest(): Promise<RouterSighting | null> {
    const text = await redis.get(key).catch(away);
    return text === null ? null : (JSON.parse(text) as RouterSighting);
  }
  return {
    async save(sighting) {
      await redis.set(key, JSON.stringify(sighting), 'EX', TTL_S).catch(away);
    },
    latest,
    servedUpTo: async () => (await latest())?.seq ?? null,
    async latestStep(instanceId) {
      const query = { name: 'latest_step', text: LATEST_STEP, values: [instanceId] };
      const { rows } = await pool.query<{ seq: string }>(query).catch((error: unknown) => {
        throw toStorageError(error, 'find the latest step of an instance');
      });
      return Number(rows[0]?.seq ?? 0);
    },
  };
}
