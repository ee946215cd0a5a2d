import type { Pool } from 'pg';

import type { StoredSnapshot } from '../../src/actors/store.ts';
import { toColumns } from '../../src/storage/snapshot-columns.ts';

export interface InstanceRow {
  readonly id: string;
  readonly vmid: number;
  readonly version?: number;
  readonly machineVersion?: number;
  readonly snapshot?: Partial<StoredSnapshot>;
}

/** An instance that has not come about by steps: its row alone, without journal and reservation. */
export async function insertInstance(
  pool: Pool,
  { id, vmid, version = 1, machineVersion = 1, snapshot = {} }: InstanceRow,
): Promise<void> {
  const whole = { value: {}, context: {}, status: 'active', since: {}, ...snapshot };
  const row = toColumns({ snapshot: whole, unchanged: [] });
  await pool.query(
    `INSERT INTO container_instance (id, vmid, version, machine_version, snapshot, payload)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [id, vmid, version, machineVersion, row.snapshot, row.payload],
  );
}
