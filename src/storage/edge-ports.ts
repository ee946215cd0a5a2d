import type { Pool } from 'pg';

import { ConflictError } from '../errors.ts';
import { isTaken, toStorageError } from './failures.ts';

export interface EdgePortRange {
  readonly protocol: 'tcp' | 'udp';
  readonly min: number;
  readonly max: number;
}

/**
 * Ports at Traefik, one for each instance that is reached by one. A reservation lasts until the
 * route is known to be gone: players of the next server must not land on the last one.
 */
export interface EdgePorts {
  /** Answers the same port as long as it is reserved. */
  reserve(range: EdgePortRange, instanceId: string): Promise<number>;
  release(instanceId: string): Promise<void>;
  /** Reservations that came to nothing: no instance, no debt, older than `ageMs`. */
  releaseAbandoned(ageMs: number): Promise<number>;
}

/**
 * The one that it has, or the lowest free one. Who has one outside the range, which has changed
 * since, gives that back: no range leads there any more. Who was given one in it meanwhile keeps it.
 */
const RESERVE = `
WITH held AS (
  SELECT port FROM edge_port
  WHERE instance_id = $4 AND protocol = $1 AND port BETWEEN $2 AND $3
), free AS (
  SELECT n AS port FROM generate_series($2::int, $3::int) AS n
  WHERE NOT EXISTS (SELECT FROM held)
    AND NOT EXISTS (SELECT FROM edge_port p WHERE p.protocol = $1 AND p.port = n)
  ORDER BY n LIMIT 1
), taken AS (
  INSERT INTO edge_port AS p (protocol, port, instance_id) SELECT $1, port, $4 FROM free
  ON CONFLICT (instance_id)
    DO UPDATE SET protocol = excluded.protocol, port = excluded.port, created_at = now()
    WHERE NOT (p.protocol = $1 AND p.port BETWEEN $2 AND $3)
  RETURNING port
)
SELECT COALESCE((SELECT port FROM held), (SELECT port FROM taken)) AS port,
  EXISTS (SELECT FROM free) AS "isFree"`;

interface Reserved {
  readonly port: number | null;
  /** There was a port to take when the statement began. */
  readonly isFree: boolean;
}

export function createEdgePorts(pool: Pool): EdgePorts {
  return {
    async reserve({ protocol, min, max }, instanceId) {
      for (;;) {
        try {
          const values = [protocol, min, max, instanceId];
          const { rows } = await pool.query<Reserved>(RESERVE, values);
          const { port = null, isFree = false } = rows[0] ?? {};
          if (port !== null) return port;
          if (isFree) continue;
          throw new ConflictError(`no ${protocol} port is free in ${min}–${max}`, {
            code: 'port_range_exhausted',
          });
        } catch (error) {
          // Somebody was faster with the same port, and has got on.
          if (!isTaken(error, 'edge_port')) throw toStorageError(error, 'reserve a port');
        }
      }
    },
    async release(instanceId) {
      await pool.query('DELETE FROM edge_port WHERE instance_id = $1', [instanceId]);
    },
    async releaseAbandoned(ageMs) {
      const { rowCount } = await pool.query(
        `DELETE FROM edge_port p
         WHERE created_at < now() - $1 * interval '1 millisecond'
           AND NOT EXISTS (SELECT FROM container_instance i WHERE i.id = p.instance_id)
           AND NOT EXISTS (SELECT FROM debt d WHERE d.instance_id = p.instance_id)`,
        [ageMs],
      );
      return rowCount ?? 0;
    },
  };
}
