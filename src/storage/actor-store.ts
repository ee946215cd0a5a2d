import type { Pool } from 'pg';

import type { ActorStore, CommitOutcome, Step, Stored } from '../actors/store.ts';
import { ControlPlaneError } from '../errors.ts';
import { kindOf } from '../machines/index.ts';
import { ARCHIVE_STEP, COMMIT_STEPS } from './commit-steps.ts';
import { COMMIT_SUBSCRIPTIONS } from './commit-subscriptions.ts';
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

const isSubscription = (id: string): boolean => kindOf(id) === 'subscription';

/** Of each kind apart: they have tables of their own. */
function split<Item>(items: readonly Item[], idOf: (item: Item) => string) {
  // Most often there is no subscription among them.
  if (!items.some((item) => isSubscription(idOf(item)))) return { instances: items, others: [] };
  const { instance = [], subscription = [] } = Object.groupBy(items, (one) => kindOf(idOf(one)));
  return { instances: instance, others: subscription };
}

const LOAD_INSTANCES = `SELECT id, version, machine_version AS "machineVersion", snapshot
  FROM container_instance WHERE id = ANY($1)`;
const LOAD_SUBSCRIPTIONS = `SELECT id, version, machine_version AS "machineVersion", snapshot
  FROM subscription WHERE id = ANY($1)`;

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

  async function commitTogether(
    name: string,
    statement: string,
    steps: readonly Step[],
  ): Promise<readonly string[]> {
    if (steps.length === 0) return [];
    const rows = JSON.stringify(steps.map(toRow));
    const moved = await query<{ id: string }>(name, statement, [rows]);
    return moved.map(({ id }) => id);
  }

  async function archive(step: Step): Promise<readonly string[]> {
    const row = JSON.stringify(toRow(step));
    const moved = await query<{ id: string }>('archive_step', ARCHIVE_STEP, [row]);
    return moved.map(({ id }) => id);
  }

  return {
    async load(ids) {
      const { instances, others } = split(ids, (id) => id);
      const load = async (name: string, text: string, some: readonly string[]) =>
        some.length === 0 ? [] : query<Stored>(name, text, [some]);
      const rows = [
        ...(await load('load_actors', LOAD_INSTANCES, instances)),
        ...(await load('load_subscriptions', LOAD_SUBSCRIPTIONS, others)),
      ];
      return new Map(rows.map((row) => [row.id, row]));
    },
    async commit(steps) {
      const { instances, others } = split(steps, ({ id }) => id);
      const last = instances.filter(({ archives }) => archives);
      const rest = instances.filter(({ archives }) => !archives);
      const moved = new Set(await commitTogether('commit_steps', COMMIT_STEPS, rest));
      for (const id of await commitTogether('commit_subs', COMMIT_SUBSCRIPTIONS, others)) {
        moved.add(id);
      }
      for (const step of last) for (const id of await archive(step)) moved.add(id);
      return steps.map(({ id }): CommitOutcome => (moved.has(id) ? 'committed' : 'void'));
    },
    async isKnown(id, eventId) {
      const [name, journal] = isSubscription(id)
        ? ['is_known_sub', 'subscription_journal']
        : ['is_known', 'journal'];
      const text = `SELECT FROM ${journal} WHERE instance_id = $1 AND event_id = $2`;
      const rows = await query(name, text, [id, eventId]);
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
