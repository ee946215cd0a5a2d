import type { Pool } from 'pg';

import type { JournalStep } from '../actors/replay.ts';
import type { Stored } from '../actors/store.ts';
import { toStorageError } from './failures.ts';
import { type Columns, joinColumns } from './snapshot-columns.ts';

type Regions = Readonly<Record<string, unknown>>;

/** One step of an instance, with the state of each region after it. */
export interface HistoryStep extends JournalStep {
  readonly state: Regions;
}

export interface HistoryEntry extends HistoryStep {
  /** The state of each region before it; null: it was the first. */
  readonly before: Regions | null;
}

export type Cause = Pick<HistoryEntry, 'seq' | 'revision' | 'at' | 'event'>;

/** A state and what explains it, all of one moment. */
export interface Evidence extends Stored {
  readonly timers: readonly { readonly timerId: string; readonly dueAt: number }[];
  /** By region: the step that led to the state which it is in. */
  readonly causes: Readonly<Record<string, Cause>>;
}

/** The journal as one instance's own story, also of one that has ended. */
export interface History {
  /** The newest first; `before`: older than this `seq`. */
  read(
    id: string,
    page: { readonly before: number | null; readonly limit: number },
  ): Promise<readonly HistoryEntry[]>;
  /** In the order in which they were made; `after`: later than this revision. */
  steps(
    id: string,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly HistoryStep[]>;
  /** null: it does not live. */
  explain(id: string): Promise<Evidence | null>;
}

/** From the entry named by key: the story is long, and its reader may be at the far end of it. */
const READ = `
SELECT j.seq::float8 AS seq, j.version AS revision, j.at, j.event, j.state, (
    SELECT p.state FROM journal p WHERE p.instance_id = j.instance_id AND p.version = j.version - 1
  ) AS before
FROM journal j
WHERE j.instance_id = $1
  AND j.seq < COALESCE($2::bigint, 9223372036854775807)
  AND j.version < COALESCE(
    (SELECT p.version FROM journal p WHERE p.seq = $2 AND p.instance_id = $1), 2147483647)
ORDER BY j.version DESC LIMIT $3`;

const STEPS = `
SELECT seq::float8 AS seq, version AS revision, at, event, state FROM journal
WHERE instance_id = $1 AND version > $2 ORDER BY version LIMIT $3`;

/** Nodes stamp events by their own clocks: of neighbours the later may bear the earlier time. */
const NEIGHBOURS = 64;

/**
 * One statement, so that state, timers and journal agree. A region moved at the time of the event
 * that moved it, so its entry is found by halving the story, however long that is: versions are
 * dense, and times rise with them but for what NEIGHBOURS is about. What a migration has dated
 * has no entry.
 */
const EXPLAIN = `
SELECT c.id, c.version, c.machine_version AS "machineVersion", c.snapshot, c.payload,
  COALESCE((
    SELECT jsonb_agg(jsonb_build_object(
      'timerId', t.timer_id, 'dueAt', floor(extract(epoch FROM t.due_at) * 1000)))
    FROM timer t WHERE t.instance_id = c.id
  ), '[]') AS timers, (
    SELECT jsonb_object_agg(r.region, to_jsonb(cause))
    FROM jsonb_each_text(c.snapshot -> 'since') AS r (region, since)
    CROSS JOIN LATERAL (
      WITH RECURSIVE halved (low, high) AS (
        SELECT 1, c.version
        UNION ALL
        SELECT CASE WHEN m.is_earlier THEN h.middle + 1 ELSE h.low END,
          CASE WHEN m.is_earlier THEN h.high ELSE h.middle END
        FROM (SELECT low, high, (low + high) / 2 AS middle FROM halved WHERE low < high) AS h
        CROSS JOIN LATERAL (
          SELECT (j.event ->> 'at')::float8 < r.since::float8 AS is_earlier
          FROM journal j WHERE j.instance_id = c.id AND j.version = h.middle
        ) AS m
      )
      SELECT low AS version FROM halved ORDER BY high - low LIMIT 1
    ) AS place
    CROSS JOIN LATERAL (
      SELECT j.seq, j.version AS revision, j.at, j.event FROM journal j
      WHERE j.instance_id = c.id
        AND j.version BETWEEN place.version - ${NEIGHBOURS} AND place.version + ${NEIGHBOURS}
        AND (j.event ->> 'at')::float8 = r.since::float8
        AND (j.state -> r.region) IS DISTINCT FROM (
          SELECT p.state -> r.region FROM journal p
          WHERE p.instance_id = j.instance_id AND p.version = j.version - 1)
      ORDER BY j.version DESC LIMIT 1
    ) AS cause
  ) AS causes
FROM container_instance c WHERE c.id = $1`;

type EvidenceRow = Omit<Evidence, 'causes'> &
  Columns & {
    readonly causes: Readonly<Record<string, Omit<Cause, 'at'> & { readonly at: string }>> | null;
  };

export function createHistory(pool: Pool): History {
  async function query<Row extends object>(name: string, text: string, values: unknown[]) {
    try {
      return (await pool.query<Row>({ name, text, values })).rows;
    } catch (error) {
      throw toStorageError(error, name);
    }
  }
  return {
    read: (id, { before, limit }) => query<HistoryEntry>('read_history', READ, [id, before, limit]),
    steps: (id, { after, limit }) =>
      query<HistoryStep>('replay_history', STEPS, [id, after, limit]),
    async explain(id) {
      const [row] = await query<EvidenceRow>('explain_instance', EXPLAIN, [id]);
      if (!row) return null;
      const causes = Object.entries(row.causes ?? {}).map(
        ([region, cause]) => [region, { ...cause, at: new Date(cause.at) }] as const,
      );
      return { ...joinColumns(row), causes: Object.fromEntries(causes) };
    },
  };
}
