import type { Pool } from 'pg';

import type { ActorStore, CommitOutcome, Step, Stored } from '../actors/store.ts';
import { ControlPlaneError } from '../errors.ts';
import { ARCHIVE_STEP, COMMIT_STEPS } from './commit-steps.ts';
import { isConflict, isTaken, toStorageError } from './failures.ts';

/** Two nodes that commit the same actors in different orders deadlock; the loser asks again. */
const DEADLOCK_ATTEMPTS_MAX = 5;

const keyReused = (cause: unknown) =>
  new ControlPlaneError(
    'idempotency_key_reused',
    'this Idempotency-Key was used for another request',
    { cause },
  );

/** What COMMIT_STEPS and its kin read of a step. */
export function toRow({ fires, archives: _, answer, operations, ...step }: Step) {
  return {
    ...step,
    timerId: fires?.timerId,
    generation: fires?.generation,
    answers: answer ? [answer] : [],
    operations: operations.map((record) => ({
      id: record.id,
      acceptedAt: new Date(record.acceptedAt),
      record,
    })),
  };
}

/** ActorStore on PostgreSQL. Statements are named: the server plans each once a connection. */
export function createActorStore(pool: Pool): ActorStore {
  async function query<Row extends object>(
    name: string,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await pool.query<Row>({ name, text, values: [...values] })).rows;
      } catch (error) {
        if (isTaken(error, 'idempotency_key')) throw keyReused(error);
        if (!isConflict(error) || attempt === DEADLOCK_ATTEMPTS_MAX) {
          throw toStorageError(error, name);
        }
      }
    }
  }

  async function commitTogether(steps: readonly Step[]): Promise<readonly string[]> {
    if (steps.length === 0) return [];
    const rows = JSON.stringify(steps.map(toRow));
    const moved = await query<{ id: string }>('commit_steps', COMMIT_STEPS, [rows]);
    return moved.map(({ id }) => id);
  }

  async function archive(step: Step): Promise<readonly string[]> {
    const row = JSON.stringify(toRow(step));
    const moved = await query<{ id: string }>('archive_step', ARCHIVE_STEP, [row]);
    return moved.map(({ id }) => id);
  }

  return {
    async load(ids) {
      const rows = await query<Stored>(
        'load_actors',
        `SELECT id, version, machine_version AS "machineVersion", snapshot
         FROM container_instance WHERE id = ANY($1)`,
        [ids],
      );
      return new Map(rows.map((row) => [row.id, row]));
    },
    async commit(steps) {
      const last = steps.filter(({ archives }) => archives);
      const moved = new Set(await commitTogether(steps.filter(({ archives }) => !archives)));
      for (const step of last) for (const id of await archive(step)) moved.add(id);
      return steps.map(({ id }): CommitOutcome => (moved.has(id) ? 'committed' : 'void'));
    },
    async isKnown(id, eventId) {
      const rows = await query(
        'is_known',
        'SELECT FROM journal WHERE instance_id = $1 AND event_id = $2',
        [id, eventId],
      );
      return rows.length > 0;
    },
    async isArmed(id, { timerId, generation }) {
      const rows = await query(
        'is_armed',
        'SELECT FROM timer WHERE instance_id = $1 AND timer_id = $2 AND generation = $3',
        [id, timerId, generation],
      );
      return rows.length > 0;
    },
    async disarm(id, { timerId, generation }) {
      await query(
        'disarm',
        'DELETE FROM timer WHERE instance_id = $1 AND timer_id = $2 AND generation = $3',
        [id, timerId, generation],
      );
    },
    async settle(effectKey) {
      await query('settle', 'DELETE FROM effect WHERE key = $1', [effectKey]);
    },
  };
}
