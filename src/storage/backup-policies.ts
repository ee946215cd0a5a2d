import type { Pool } from 'pg';

import { createQuery } from './query.ts';

export interface BackupPolicy {
  /** null: none are made by themselves. */
  readonly cron: string | null;
  readonly timezone: string;
  /** What becomes of a time at which nobody was there to make it. */
  readonly misfire: 'skip' | 'run_once';
  /** null: however many, and however old. */
  readonly keepCount: number | null;
  readonly keepDays: number | null;
}

export interface StoredPolicy extends BackupPolicy {
  readonly nextDueAt: Date | null;
}

export interface DueBackup extends BackupPolicy {
  readonly instanceId: string;
  readonly cron: string;
  readonly dueAt: Date;
  /** By the clock of the database. */
  readonly now: Date;
}

export interface BackupRun {
  readonly dueAt: Date;
  readonly outcome: 'accepted' | 'skipped' | 'missed';
  readonly reason: string | null;
  readonly operationId: string | null;
  readonly at: Date;
}

/** When backups are made by themselves, how many are kept, and what has become of each time. */
export interface BackupPolicies {
  find(instanceId: string): Promise<StoredPolicy | null>;
  /** false: there is no such instance any more. */
  put(instanceId: string, policy: BackupPolicy, nextDueAt: Date | null): Promise<boolean>;
  /** The latest first. */
  listRuns(instanceId: string, limit: number): Promise<readonly BackupRun[]>;
  /** Those that have waited longest first. */
  listDue(limit: number): Promise<readonly DueBackup[]>;
  /** Writes down what has become of a time, once, and goes on to the next. */
  settle(
    instanceId: string,
    run: Omit<BackupRun, 'at'> & { readonly nextDueAt: Date | null },
  ): Promise<void>;
  /** Whom nobody has looked at for too many backups since `ageMs`, or since the last was verified. */
  listUnretained(ageMs: number, limit: number): Promise<readonly UnretainedPolicy[]>;
  noteRetained(instanceId: string): Promise<void>;
}

export interface UnretainedPolicy extends Pick<BackupPolicy, 'keepCount' | 'keepDays'> {
  readonly instanceId: string;
  readonly now: Date;
}

const POLICY = `cron, timezone, misfire, keep_count AS "keepCount", keep_days AS "keepDays"`;

const PUT = `
INSERT INTO backup_policy (instance_id, cron, timezone, misfire, keep_count, keep_days, next_due_at)
SELECT $1, $2, $3, $4, $5, $6, $7 WHERE EXISTS (SELECT FROM container_instance WHERE id = $1)
ON CONFLICT (instance_id) DO UPDATE SET cron = $2, timezone = $3, misfire = $4, keep_count = $5,
  keep_days = $6, next_due_at = $7, retained_at = NULL, updated_at = now()`;

/** Whoever comes second finds the policy at its next time, or changed, and writes nothing. */
const SETTLE = `
WITH advanced AS (
  UPDATE backup_policy SET next_due_at = $3
  WHERE instance_id = $1 AND next_due_at = $2 RETURNING 1
), pruned AS (
  DELETE FROM backup_run WHERE instance_id = $1 AND due_at < now() - interval '90 days'
)
INSERT INTO backup_run (instance_id, due_at, outcome, reason, operation_id)
SELECT $1, $2, $4, $5, $6 FROM advanced ON CONFLICT DO NOTHING`;

const UNRETAINED = `
SELECT p.instance_id AS "instanceId", keep_count AS "keepCount", keep_days AS "keepDays", now()
FROM backup_policy p
WHERE (keep_count IS NOT NULL OR keep_days IS NOT NULL)
  AND (retained_at IS NULL OR retained_at < now() - $1 * interval '1 millisecond'
    OR EXISTS (SELECT FROM backup b
      WHERE b.instance_id = p.instance_id AND b.verified_at >= p.retained_at))
ORDER BY retained_at NULLS FIRST LIMIT $2`;

export function createBackupPolicies(pool: Pool): BackupPolicies {
  const query = createQuery(pool);
  return {
    async find(instanceId) {
      const text = `SELECT ${POLICY}, next_due_at AS "nextDueAt" FROM backup_policy
        WHERE instance_id = $1`;
      const { rows } = await query<StoredPolicy>(text, [instanceId], 'find a backup policy');
      return rows[0] ?? null;
    },
    async put(instanceId, policy, nextDueAt) {
      const { cron, timezone, misfire, keepCount, keepDays } = policy;
      const values = [instanceId, cron, timezone, misfire, keepCount, keepDays, nextDueAt];
      return (await query(PUT, values, 'keep a backup policy')).rowCount === 1;
    },
    async listRuns(instanceId, limit) {
      const text = `SELECT due_at AS "dueAt", outcome, reason, operation_id AS "operationId", at
        FROM backup_run WHERE instance_id = $1 ORDER BY due_at DESC LIMIT $2`;
      return (await query<BackupRun>(text, [instanceId, limit], 'list backup runs')).rows;
    },
    async listDue(limit) {
      const text = `SELECT instance_id AS "instanceId", ${POLICY}, next_due_at AS "dueAt", now()
        FROM backup_policy WHERE next_due_at <= now() AND cron IS NOT NULL
        ORDER BY next_due_at LIMIT $1`;
      return (await query<DueBackup>(text, [limit], 'list due backups')).rows;
    },
    async settle(instanceId, { dueAt, nextDueAt, outcome, reason, operationId }) {
      const values = [instanceId, dueAt, nextDueAt, outcome, reason, operationId];
      await query(SETTLE, values, 'settle a due backup');
    },
    async listUnretained(ageMs, limit) {
      const doing = 'list unretained backups';
      return (await query<UnretainedPolicy>(UNRETAINED, [ageMs, limit], doing)).rows;
    },
    async noteRetained(instanceId) {
      await query(
        'UPDATE backup_policy SET retained_at = now() WHERE instance_id = $1',
        [instanceId],
        'note that backups are retained',
      );
    },
  };
}
