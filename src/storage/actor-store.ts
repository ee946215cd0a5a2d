import type { Pool } from 'pg';

import type { ActorStore, CommitOutcome, Step, Stored } from '../actors/store.ts';
import { ControlPlaneError } from '../errors.ts';
import { kindOf } from '../machines/index.ts';
import { ARCHIVE_STEP, COMMIT_STEPS } from './commit-steps.ts';
import { COMMIT_SUBSCRIPTIONS } from './commit-subscriptions.ts';
import { isConflict, isTaken, toStorageError } from './failures.ts';
import { type Columns, joinColumns, toColumns } from './snapshot-columns.ts';

/** Two nodes that commit the same actors in different orders deadlock; the loser asks again. */
const DEADLOCK_ATTEMPTS_MAX = 5;

const keyReused = (cause: unknown) =>
  new ControlPlaneError(
    'idempotency_key_reused',
    'this Idempotency-Key was used for another request',
    { cause },
  );

/** Most of them are empty, and what is left out need not be sent, parsed and carried along. */
const unlessEmpty = <Item>(items: readonly Item[]) => (items.length === 0 ? undefined : items);

/** What the statements of commit-subscriptions.ts read of a step. */
export function toRow({ fires, archives: _, unchanged: __, answer, operations, ...step }: Step) {
  return {
    ...step,
    timerId: fires?.timerId,
    generation: fires?.generation,
    effects: unlessEmpty(step.effects),
    arms: unlessEmpty(step.arms),
    cancels: unlessEmpty(step.cancels),
    answers: answer && [answer],
    operations: unlessEmpty(
      operations.map((record) => ({
        id: record.id,
        acceptedAt: new Date(record.acceptedAt),
        record,
      })),
    ),
  };
}

/** The same for those of commit-steps.ts. */
export const toInstanceRow = (step: Step) => ({ ...toRow(step), ...toColumns(step) });

const isSubscription = (id: string): boolean => kindOf(id) === 'subscription';

/** Of each kind apart: they have tables of their own. */
function split<Item>(items: readonly Item[], idOf: (item: Item) => string) {
  // Most often there is no subscription among them.
  if (!items.some((item) => isSubscription(idOf(item)))) return { instances: items, others: [] };
  const { instance = [], subscription = [] } = Object.groupBy(items, (one) => kindOf(idOf(one)));
  return { instances: instance, others: subscription };
}

const LOAD_INSTANCES = `SELECT id, version, machine_version AS "machineVersion", snapshot, payload
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
    rows: readonly object[],
  ): Promise<readonly string[]> {
    return rows.length === 0 ? [] : move(name, statement, rows);
  }

  /** @returns who has been moved by it */
  async function move(name: string, statement: string, what: object): Promise<readonly string[]> {
    const moved = await query<{ id: string }>(name, statement, [JSON.stringify(what)]);
    return moved.map(({ id }) => id);
  }

  return {
    async load(ids) {
      const { instances, others } = split(ids, (id) => id);
      const load = async <Row extends Stored>(name: string, text: string, some: typeof ids) =>
        some.length === 0 ? [] : query<Row>(name, text, [some]);
      const apart = await load<Stored & Columns>('load_actors', LOAD_INSTANCES, instances);
      const rows: Stored[] = [
        ...apart.map((row) => joinColumns(row)),
        ...(await load<Stored>('load_subscriptions', LOAD_SUBSCRIPTIONS, others)),
      ];
      return new Map(rows.map((row) => [row.id, row]));
    },
    async commit(steps) {
      const { instances, others } = split(steps, ({ id }) => id);
      const last = instances.filter(({ archives }) => archives);
      const rest = instances.filter(({ archives }) => !archives);
      const rows = rest.map(toInstanceRow);
      const moved = [
        ...(await commitTogether('commit_steps', COMMIT_STEPS, rows)),
        ...(await commitTogether('commit_subs', COMMIT_SUBSCRIPTIONS, others.map(toRow))),
      ];
      for (const step of last) {
        moved.push(...(await move('archive_step', ARCHIVE_STEP, toInstanceRow(step))));
      }
      const committed = new Set(moved);
      return steps.map(({ id }): CommitOutcome => (committed.has(id) ? 'committed' : 'void'));
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
