import type { Pool } from 'pg';

import { toStorageError } from './failures.ts';
import type { OverdueTimer, OwedDebt, StuckEffect } from './reconcile-report.ts';

/** An instance whose container has been made and not been removed. */
export interface ContainerOwner {
  readonly instanceId: string;
  readonly vmid: number;
  readonly hostname: string;
  readonly node: string | null;
  readonly host: string;
}

export interface Limits {
  readonly limit: number;
}

/** What ought not to be there, or ought to be done by now. Each is one query, by the database's clock. */
export interface Leftovers {
  listOwners(): Promise<ContainerOwner[]>;
  /** Those tried longest ago first. */
  listDebts(limits: Limits): Promise<OwedDebt[]>;
  /** Older than `ageMs`, and nobody performs it, or it has been begun `claims` times. */
  listStuck(limits: Limits & { ageMs: number; claims: number }): Promise<StuckEffect[]>;
  listOverdue(limits: Limits & { ageMs: number }): Promise<OverdueTimer[]>;
}

const OWNERS = `
SELECT c.id AS "instanceId", c.vmid, c.hostname, c.node, CASE jsonb_typeof(s.value -> 'host')
    WHEN 'string' THEN s.value ->> 'host'
    ELSE (SELECT jsonb_object_keys(s.value -> 'host') LIMIT 1)
  END AS host
FROM container_instance c
CROSS JOIN LATERAL jsonb_to_record(c.snapshot) AS s (value jsonb, context jsonb)
WHERE NOT (s.value -> 'provisioning') ?| array['cloning', 'deleting', 'deleted']
  AND NOT (s.value ->> 'provisioning' = 'failed'
    AND s.context -> 'failure' ->> 'step' IS NOT DISTINCT FROM 'clone')`;

const ISO = (column: string) =>
  `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const DEBTS = `
SELECT instance_id AS "instanceId", vmid, kind, code, message, attempts,
  ${ISO('created_at')} AS "createdAt", ${ISO('tried_at')} AS "triedAt"
FROM debt ORDER BY tried_at LIMIT $1`;

const STUCK = `
SELECT key, instance_id AS "instanceId", kind, claims,
  COALESCE(leased_until > now(), false) AS "isHeld", ${ISO('created_at')} AS "createdAt"
FROM effect
WHERE created_at < now() - $2 * interval '1 millisecond'
  AND (leased_until IS NULL OR leased_until < now() OR claims >= $3)
ORDER BY created_at LIMIT $1`;

const OVERDUE = `
SELECT instance_id AS "instanceId", timer_id AS "timerId", ${ISO('due_at')} AS "dueAt"
FROM timer WHERE due_at < now() - $2 * interval '1 millisecond'
ORDER BY due_at LIMIT $1`;

export function createLeftovers(pool: Pool): Leftovers {
  async function query<Row extends object>(name: string, text: string, values: unknown[]) {
    try {
      return (await pool.query<Row>({ name, text, values })).rows;
    } catch (error) {
      throw toStorageError(error, name);
    }
  }
  return {
    listOwners: () => query<ContainerOwner>('list_container_owners', OWNERS, []),
    listDebts: ({ limit }) => query<OwedDebt>('list_debts_owed', DEBTS, [limit]),
    listStuck: ({ limit, ageMs, claims }) =>
      query<StuckEffect>('list_stuck_effects', STUCK, [limit, ageMs, claims]),
    listOverdue: ({ limit, ageMs }) =>
      query<OverdueTimer>('list_overdue_timers', OVERDUE, [limit, ageMs]),
  };
}
