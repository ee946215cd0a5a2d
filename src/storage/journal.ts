import type { Pool } from 'pg';

import type { FleetRow, FleetRows, JournalEntry, JournalReader } from '../view/journal.ts';
import { toStorageError } from './failures.ts';
import { type Columns, joinColumns } from './snapshot-columns.ts';

interface Row extends Omit<JournalEntry, 'seq'> {
  /** A bigint comes as text; no journal reaches 2^53. */
  readonly seq: string;
}

/** Whose it is: by a subquery, which reads by key however large the table is. */
const READ_AFTER = `
SELECT j.seq, j.instance_id AS id, j.vmid, j.version, j.at, j.event ->> 'type' AS type,
  j.state AS regions,
  COALESCE(
    (SELECT c.customer_id FROM container_instance c WHERE c.id = j.instance_id),
    (SELECT d.customer_id FROM deleted_instance d WHERE d.id = j.instance_id)
  ) AS "customerId"
FROM journal j WHERE j.seq > $1 ORDER BY j.seq LIMIT $2`;

const FLEET_ROW = `id, vmid, version, machine_version AS "machineVersion", snapshot, payload,
  created_at AS "createdAt", updated_at AS "updatedAt"`;

type Query = <Found extends object>(
  name: string,
  text: string,
  values: readonly unknown[],
) => Promise<readonly Found[]>;

const queryOf =
  (pool: Pool): Query =>
  async <Found extends object>(name: string, text: string, values: readonly unknown[]) => {
    try {
      return (await pool.query<Found>({ name, text, values: [...values] })).rows;
    } catch (error) {
      throw toStorageError(error, name);
    }
  };

export function createJournalReader(pool: Pool): JournalReader {
  const query = queryOf(pool);
  return {
    async readAfter(seq, limit) {
      const rows = await query<Row>('read_journal', READ_AFTER, [seq, limit]);
      return rows.map((row) => ({ ...row, seq: Number(row.seq) }));
    },
    async head() {
      const text = 'SELECT last_seq AS seq FROM journal_head WHERE id = 1';
      const [row] = await query<{ seq: string }>('journal_head', text, []);
      return Number(row?.seq ?? 0);
    },
  };
}

export function createFleetRows(pool: Pool): FleetRows {
  const query = queryOf(pool);
  async function read(name: string, where: string, values: readonly unknown[]) {
    const text = `SELECT ${FLEET_ROW} FROM container_instance ${where}`;
    return (await query<FleetRow & Columns>(name, text, values)).map(joinColumns);
  }
  return {
    find: async (vmid) => (await read('find_fleet', 'WHERE vmid = $1', [vmid]))[0] ?? null,
    load: (ids) => read('load_fleet', 'WHERE id = ANY($1)', [ids]),
    page: (afterVmid, limit) =>
      read('page_fleet', 'WHERE vmid > $1 ORDER BY vmid LIMIT $2', [afterVmid, limit]),
  };
}
