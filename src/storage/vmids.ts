import type { Pool } from 'pg';

import { ConflictError } from '../errors.ts';
import { isTaken, toStorageError } from './failures.ts';

export interface VmidRange {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/**
 * VMIDs are handed out by a counter that goes round its range, so that a number rests as long as
 * possible before it is used again. A reservation belongs to one instance id and lasts until the
 * container is known to be gone.
 */
export interface Vmids {
  /** Reserves the next VMID of the range that none of our rows uses. `taken`: not these. */
  reserve(range: VmidRange, idOf: (vmid: number) => string): Promise<{ vmid: number; id: string }>;
  release(instanceId: string): Promise<void>;
  /** Reservations that came to nothing: no instance, no debt, older than `ageMs`. */
  releaseAbandoned(ageMs: number): Promise<number>;
}

/** The first free number at or after the counter, going round once. */
const RESERVE = `
WITH counter AS (
  INSERT INTO vmid_counter AS c (range, next) VALUES ($1, $2)
  ON CONFLICT (range) DO UPDATE SET next = c.next
  RETURNING next
), free AS (
  SELECT n AS vmid FROM counter,
    LATERAL (SELECT generate_series($2::int, $3::int) AS n) AS numbers
  WHERE NOT EXISTS (SELECT FROM vmid_reservation r WHERE r.vmid = n)
    AND NOT EXISTS (SELECT FROM container_instance i WHERE i.vmid = n)
  ORDER BY (n < counter.next), n LIMIT 1
)
SELECT vmid FROM free`;

export function createVmids(pool: Pool): Vmids {
  async function reserveOnce({ name, min, max }: VmidRange, idOf: (vmid: number) => string) {
    const client = await pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      // The upsert locks the counter, so reservations of one range take turns.
      const { rows } = await client.query<{ vmid: number }>(RESERVE, [name, min, max]);
      const vmid = rows[0]?.vmid;
      if (vmid === undefined) {
        throw new ConflictError(`no VMID is free in ${min}–${max}`, {
          code: 'vmid_range_exhausted',
        });
      }
      const id = idOf(vmid);
      await client.query('INSERT INTO vmid_reservation (vmid, instance_id) VALUES ($1, $2)', [
        vmid,
        id,
      ]);
      await client.query('UPDATE vmid_counter SET next = $2 WHERE range = $1', [
        name,
        vmid === max ? min : vmid + 1,
      ]);
      await client.query('COMMIT');
      return { vmid, id };
    } catch (error) {
      await client.query('ROLLBACK').catch((broken: Error) => {
        failure = broken;
      });
      throw error;
    } finally {
      // A connection that could not even roll back is closed, not given to the next one.
      client.release(failure);
    }
  }

  return {
    async reserve(range, idOf) {
      for (;;) {
        try {
          return await reserveOnce(range, idOf);
        } catch (error) {
          // A statement that waited for its turn does not see what was reserved meanwhile, and
          // ranges that overlap do not take turns. Somebody got on, so this comes to an end.
          if (!isTaken(error, 'vmid_reservation')) throw toStorageError(error, 'reserve a VMID');
        }
      }
    },
    async release(instanceId) {
      await pool.query('DELETE FROM vmid_reservation WHERE instance_id = $1', [instanceId]);
    },
    async releaseAbandoned(ageMs) {
      const { rowCount } = await pool.query(
        `DELETE FROM vmid_reservation r
         WHERE created_at < now() - $1 * interval '1 millisecond'
           AND NOT EXISTS (SELECT FROM container_instance i WHERE i.id = r.instance_id)
           AND NOT EXISTS (SELECT FROM debt d WHERE d.instance_id = r.instance_id)`,
        [ageMs],
      );
      return rowCount ?? 0;
    },
  };
}
