import type { Pool, PoolClient } from 'pg';

import type { KeyedAnswer, Step } from '../actors/store.ts';
import { ControlPlaneError } from '../errors.ts';
import { toInstanceRow } from './actor-store.ts';
import { CREATE_STEP } from './commit-steps.ts';
import { USE_OF, type Use } from './customers.ts';
import { isConflict, isTaken, toStorageError } from './failures.ts';

export interface StoredAnswer {
  readonly fingerprint: string;
  readonly status: number;
  readonly response: unknown;
}

/** How much a customer may have. */
export interface Allowance {
  readonly plan: string | null;
  readonly limits: Use;
}

export interface Creation {
  readonly vmid: number;
  readonly step: Step;
  /** What its owner may have, if anybody says so. */
  readonly allowance?: { readonly userId: string; readonly wantedMiB: number } & Allowance;
}

export interface InstanceStore {
  /**
   * The first step of an actor, with the answer its creator gets.
   * `repeated`: another request with the same idempotency key was first; nothing is written.
   * @throws ControlPlaneError `plan_limit_reached` if the allowance does not include it. Two that
   * are created at the same moment are counted one after the other.
   */
  create(creation: Creation): Promise<'created' | 'repeated'>;
  findAnswer(request: Pick<KeyedAnswer, 'userId' | 'key'>): Promise<StoredAnswer | null>;
  /**
   * Keeps an answer that no step goes with; those of steps are written with them.
   * false: the key stands for an answer already, which stays.
   */
  keepAnswer(answer: KeyedAnswer): Promise<boolean>;
  /** Answers older than `ageMs` are not replayed any more. */
  forgetAnswers(ageMs: number): Promise<void>;
}

export function createInstanceStore(pool: Pool): InstanceStore {
  return {
    async create({ vmid, step, allowance }) {
      const row = JSON.stringify({ ...toInstanceRow(step), vmid });
      for (;;) {
        try {
          if (allowance) await createWithin(pool, row, allowance);
          else await pool.query(CREATE_STEP, [row]);
          return 'created';
        } catch (error) {
          if (isTaken(error, 'idempotency_key')) return 'repeated';
          if (!isConflict(error)) throw toStorageError(error, 'create an instance');
        }
      }
    },
    async findAnswer({ userId, key }) {
      const { rows } = await pool
        .query<StoredAnswer>(
          'SELECT fingerprint, status, response FROM idempotency_key WHERE user_id = $1 AND key = $2',
          [userId, key],
        )
        .catch((error: unknown) => {
          throw toStorageError(error, 'look up an idempotency key');
        });
      return rows[0] ?? null;
    },
    async keepAnswer({ userId, key, fingerprint, status, response }) {
      const { rowCount } = await pool
        .query(
          `INSERT INTO idempotency_key (user_id, key, fingerprint, status, response)
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
          [userId, key, fingerprint, status, JSON.stringify(response)],
        )
        .catch((error: unknown) => {
          throw toStorageError(error, 'keep an answer');
        });
      return rowCount === 1;
    },
    async forgetAnswers(ageMs) {
      await pool
        .query(
          `DELETE FROM idempotency_key
           WHERE created_at < now() - $1 * interval '1 millisecond'`,
          [ageMs],
        )
        .catch((error: unknown) => {
          throw toStorageError(error, 'forget idempotency keys');
        });
    },
  };
}

/** Whoever creates something for the same customer waits until this one is counted. */
async function createWithin(
  pool: Pool,
  row: string,
  allowance: NonNullable<Creation['allowance']>,
): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('SELECT FROM "user" WHERE id = $1 FOR UPDATE', [allowance.userId]);
    await checkAllowance(client, allowance);
    await client.query(CREATE_STEP, [row]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  } finally {
    client.release();
  }
}

async function checkAllowance(
  client: PoolClient,
  { userId, plan, limits, wantedMiB }: NonNullable<Creation['allowance']>,
): Promise<void> {
  const { rows } = await client.query<Use>(USE_OF, [userId]);
  const used = rows[0] ?? { slots: 0, memoryMiB: 0 };
  const wanted = { slots: 1, memoryMiB: wantedMiB };
  const isWithin = (key: keyof Use) => used[key] + wanted[key] <= limits[key];
  if (isWithin('slots') && isWithin('memoryMiB')) return;
  throw new ControlPlaneError(
    'plan_limit_reached',
    `the plan includes ${limits.slots} containers with ${limits.memoryMiB} MiB together: ` +
      `${used.slots} with ${used.memoryMiB} MiB are in use, and ${wantedMiB} MiB more are wanted`,
    { details: { plan, limits, used, wanted } },
  );
}
