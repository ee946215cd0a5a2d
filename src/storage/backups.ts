import type { Pool } from 'pg';

import { createQuery } from './query.ts';

/** What an agent says of a backup. */
export interface ListedBackup {
  readonly id: string;
  readonly name: string | null;
  readonly sizeBytes: number | null;
  readonly createdAt: string | null;
  readonly sha256: string | null;
}

/** What we know of one. */
export interface KnownBackup {
  readonly backupId: string;
  readonly madeAt: Date | null;
  readonly seenAt: Date;
  /** null: its agent has it, as far as we know. */
  readonly missingAt: Date | null;
  readonly verifiedAt: Date | null;
  readonly damagedAt: Date | null;
  readonly lockedAt: Date | null;
}

/**
 * What we know of backups beyond their agents, which have them. A row is no backup and a missing
 * row is no missing backup: an agent's list is adopted, and nothing is deleted for want of a row.
 */
export interface Backups {
  /** Those with a row. */
  list(instanceId: string): Promise<readonly KnownBackup[]>;
  /** Takes over what an agent lists; what it lists no more is noted as missing, and kept. */
  adopt(instanceId: string, listed: readonly ListedBackup[]): Promise<void>;
  /** One that has just been made. */
  record(instanceId: string, backup: ListedBackup): Promise<void>;
  noteChecked(instanceId: string, backupId: string, isSound: boolean): Promise<void>;
  /** false: it is being deleted, or has been, or was about to be a minute ago. */
  lock(instanceId: string, backupId: string, userId: string): Promise<boolean>;
  unlock(instanceId: string, backupId: string): Promise<void>;
  /** false: it is locked. From here on nobody can lock it while this operation runs. */
  claimDeletion(instanceId: string, backupId: string, operationId: string): Promise<boolean>;
  forget(instanceId: string, backupId: string): Promise<void>;
}

const KNOWN = `backup_id AS "backupId", made_at AS "madeAt", seen_at AS "seenAt",
  missing_at AS "missingAt", verified_at AS "verifiedAt", damaged_at AS "damagedAt",
  locked_at AS "lockedAt"`;

const RECORD = `
INSERT INTO backup (instance_id, backup_id, name, size_bytes, sha256, made_at)
SELECT $1, b.id, b.name, b."sizeBytes", b.sha256, LEAST(b."madeAt", now())
FROM jsonb_to_recordset($2::jsonb)
  AS b (id text, name text, "sizeBytes" bigint, sha256 text, "madeAt" timestamptz)
WHERE EXISTS (SELECT FROM container_instance WHERE id = $1)
ON CONFLICT (instance_id, backup_id) DO UPDATE SET name = EXCLUDED.name, seen_at = now(),
  missing_at = NULL, size_bytes = EXCLUDED.size_bytes, sha256 = EXCLUDED.sha256,
  made_at = COALESCE(backup.made_at, EXCLUDED.made_at)`;

/** By our clock, whatever that of its container says. */
const DATE = 'UPDATE backup SET made_at = now() WHERE instance_id = $1 AND backup_id = $2';

const MISSING_MAX = 1_000;
/** Of what is gone nobody asks for ever. */
const FORGET_MISSING = `
DELETE FROM backup WHERE instance_id = $1 AND missing_at IS NOT NULL AND (
  missing_at < now() - interval '90 days' OR backup_id IN (
    SELECT backup_id FROM backup WHERE instance_id = $1 AND missing_at IS NOT NULL
    ORDER BY missing_at DESC, backup_id OFFSET ${MISSING_MAX}))`;

const MISS = `
UPDATE backup SET missing_at = COALESCE(missing_at, now())
WHERE instance_id = $1 AND NOT (backup_id = ANY ($2))`;

/** So long a call that was given up may still be on its way. */
const WAKE_S = 60;

const LOCK = `
INSERT INTO backup (instance_id, backup_id, locked_at, locked_by) VALUES ($1, $2, now(), $3)
ON CONFLICT (instance_id, backup_id) DO UPDATE
  SET locked_at = COALESCE(backup.locked_at, now()), locked_by = EXCLUDED.locked_by,
    deleting_by = NULL
  WHERE NOT EXISTS (SELECT FROM operation o WHERE o.instance_id = $1
    AND o.id = backup.deleting_by AND (o.record ->> 'state' = 'running'
      OR (o.record ->> 'finishedAt')::float8 / 1000 > extract(epoch FROM now()) - ${WAKE_S}))`;

const CLAIM = `
INSERT INTO backup (instance_id, backup_id, deleting_by) VALUES ($1, $2, $3)
ON CONFLICT (instance_id, backup_id) DO UPDATE SET deleting_by = $3
  WHERE backup.locked_at IS NULL`;

/** Of an agent's word for a time, which need not be one. */
function timeOf(text: string | null): string | null {
  const at = text === null ? Number.NaN : Date.parse(text);
  const isKeepable = at > 0 && at < 8.64e15 / 1000;
  return isKeepable ? new Date(at).toISOString() : null;
}

const sizeOf = (bytes: number | null) => (Number.isSafeInteger(bytes) ? bytes : null);

const rowOf = (one: ListedBackup) => ({
  ...{ id: one.id, name: one.name, sha256: one.sha256 },
  ...{ sizeBytes: sizeOf(one.sizeBytes), madeAt: timeOf(one.createdAt) },
});

export function createBackups(pool: Pool): Backups {
  const query = createQuery(pool);
  const write = (instanceId: string, backups: readonly ListedBackup[]) => {
    // Of two with the same id, which no agent ought to list, the last one counts.
    const rows = [...new Map(backups.map((one) => [one.id, rowOf(one)])).values()];
    return query(RECORD, [instanceId, JSON.stringify(rows)], 'keep backups');
  };
  return {
    async list(instanceId) {
      const text = `SELECT ${KNOWN} FROM backup WHERE instance_id = $1 ORDER BY made_at`;
      return (await query<KnownBackup>(text, [instanceId], 'list backups')).rows;
    },
    async adopt(instanceId, listed) {
      if (listed.length > 0) await write(instanceId, listed);
      await query(MISS, [instanceId, listed.map(({ id }) => id)], 'note missing backups');
      await query(FORGET_MISSING, [instanceId], 'forget missing backups');
    },
    async record(instanceId, one) {
      await write(instanceId, [one]);
      await query(DATE, [instanceId, one.id], 'date a backup');
    },
    async noteChecked(instanceId, backupId, isSound) {
      const column = isSound ? 'verified_at = now(), damaged_at = NULL' : 'damaged_at = now()';
      await query(
        `UPDATE backup SET ${column} WHERE instance_id = $1 AND backup_id = $2`,
        [instanceId, backupId],
        'note what a checksum said',
      );
    },
    async lock(instanceId, backupId, userId) {
      const { rowCount } = await query(LOCK, [instanceId, backupId, userId], 'lock a backup');
      return rowCount === 1;
    },
    async unlock(instanceId, backupId) {
      await query(
        `UPDATE backup SET locked_at = NULL, locked_by = NULL
         WHERE instance_id = $1 AND backup_id = $2`,
        [instanceId, backupId],
        'unlock a backup',
      );
    },
    async claimDeletion(instanceId, backupId, operationId) {
      const values = [instanceId, backupId, operationId];
      return (await query(CLAIM, values, 'claim the deletion of a backup')).rowCount === 1;
    },
    async forget(instanceId, backupId) {
      await query(
        'DELETE FROM backup WHERE instance_id = $1 AND backup_id = $2',
        [instanceId, backupId],
        'forget a backup',
      );
    },
  };
}
