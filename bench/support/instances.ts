import type { Pool } from 'pg';

import { definitions } from '../../src/machines/index.ts';
import { toColumns } from '../../src/storage/snapshot-columns.ts';
import type { Cursor, Life } from './lives.ts';

const VMID_MIN = 100_000;

/**
 * Empties the tables and inserts `count` instances in bulk: copies of one that has been stepped
 * to the start of its life, each with its own id, VMID and host name.
 */
export async function insertInstances(
  pool: Pool,
  lives: readonly Life[],
  count: number,
): Promise<readonly Cursor[]> {
  const tables = 'container_instance, journal, effect, timer, operation, deleted_instance';
  await pool.query(`TRUNCATE ${tables} CASCADE`);
  await pool.query('UPDATE journal_head SET last_seq = 0');
  for (const [life, { start }] of lives.entries()) {
    const { snapshot, payload } = toColumns({ snapshot: start.snapshot, unchanged: [] });
    await pool.query(
      `INSERT INTO container_instance (id, vmid, version, machine_version, snapshot, payload)
       SELECT vmid || '-bench', vmid, $1, ${definitions.instance.machineVersion},
         jsonb_set($2::jsonb, '{context}', $2::jsonb -> 'context' || jsonb_build_object(
           'id', vmid || '-bench', 'vmid', vmid, 'hostname', 'mc-vanilla-' || vmid,
           'customerId', 'c-' || vmid % 1000)), $6::jsonb
       FROM generate_series($3::int, $4::int, $5::int) AS vmid`,
      [start.version, snapshot, VMID_MIN + life, VMID_MIN + count - 1, lives.length, payload],
    );
  }
  await pool.query('VACUUM (ANALYZE) container_instance');
  return Array.from({ length: count }, (_, index) => {
    const life = index % lives.length;
    const { start, beats } = lives[life] as Life;
    return {
      id: `${VMID_MIN + index}-bench`,
      life,
      beat: 0,
      version: start.version,
      opSeq: (start.snapshot.context as { opSeq: number }).opSeq,
      turns: beats.map(() => 0),
    };
  });
}

/** @throws Error unless every event that was answered is stored, once, and journaled */
export async function verifyInstances(pool: Pool, cursors: readonly Cursor[]): Promise<void> {
  const { rows } = await pool.query<{ id: string; version: number }>(
    'SELECT id, version FROM container_instance',
  );
  const versions = new Map(rows.map(({ id, version }) => [id, version]));
  const wrong = cursors.filter(({ id, version }) => versions.get(id) !== version);
  if (wrong.length > 0) {
    const [one] = wrong;
    throw new Error(
      `${wrong.length} instances are not where they should be, e.g. ${one?.id} at ` +
        `${versions.get(one?.id ?? '')} instead of ${one?.version}`,
    );
  }
  const journal = await pool.query<{ wrong: number }>(
    `SELECT count(*)::int AS wrong FROM container_instance c
     WHERE version - (SELECT count(*) FROM journal j WHERE j.instance_id = c.id)
       <> (SELECT min(version) - 1 FROM journal j WHERE j.instance_id = c.id)`,
  );
  const missing = journal.rows[0]?.wrong;
  if (missing !== 0) throw new Error(`the journals of ${missing} instances have holes`);
}

export const bytesOfSnapshot = (lives: readonly Life[]): number =>
  Math.round(
    lives.reduce((sum, { start }) => sum + JSON.stringify(start.snapshot).length, 0) / lives.length,
  );
