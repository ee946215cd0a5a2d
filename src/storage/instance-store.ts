import type { Pool } from 'pg';

import type { KeyedAnswer, Step } from '../actors/store.ts';
import { toRow } from './actor-store.ts';
import { CREATE_STEP } from './commit-steps.ts';
import { isConflict, isTaken, toStorageError } from './failures.ts';

export interface StoredAnswer {
  readonly fingerprint: string;
  readonly status: number;
  readonly response: unknown;
}

export interface InstanceStore {
  /**
   * The first step of an actor, with the answer its creator gets.
   * `repeated`: another request with the same idempotency key was first; nothing is written.
   */
  create(creation: { vmid: number; step: Step }): Promise<'created' | 'repeated'>;
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
    async create({ vmid, step }) {
      for (;;) {
        try {
          await pool.query(CREATE_STEP, [JSON.stringify({ ...toRow(step), vmid })]);
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
