import type { Pool } from 'pg';

import type { Step } from '../actors/store.ts';
import { toRow } from './actor-store.ts';
import { CREATE_STEP } from './commit-steps.ts';
import { isConflict, isTaken, toStorageError } from './failures.ts';

export interface IdempotentRequest {
  readonly userId: string;
  readonly key: string;
  /** A digest of what was asked: the same key must not stand for something else. */
  readonly fingerprint: string;
}

export interface StoredAnswer {
  readonly fingerprint: string;
  readonly status: number;
  readonly response: unknown;
}

export interface Creation {
  readonly vmid: number;
  readonly step: Step;
  readonly idempotency?: IdempotentRequest & {
    readonly status: number;
    readonly response: unknown;
  };
}

export interface InstanceStore {
  /**
   * The first step of an actor and the answer its creator gets, in one transaction.
   * `repeated`: another request with the same idempotency key was first; nothing is written.
   */
  create(creation: Creation): Promise<'created' | 'repeated'>;
  findAnswer(request: Pick<IdempotentRequest, 'userId' | 'key'>): Promise<StoredAnswer | null>;
  /** Answers older than `ageMs` are not replayed any more. */
  forgetAnswers(ageMs: number): Promise<void>;
}

export function createInstanceStore(pool: Pool): InstanceStore {
  async function createOnce({ vmid, step, idempotency }: Creation) {
    const client = await pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      if (idempotency) {
        const { userId, key, fingerprint, status, response } = idempotency;
        await client.query(
          `INSERT INTO idempotency_key (user_id, key, fingerprint, status, response)
           VALUES ($1, $2, $3, $4, $5)`,
          [userId, key, fingerprint, status, JSON.stringify(response)],
        );
      }
      await client.query(CREATE_STEP, [JSON.stringify({ ...toRow(step), vmid })]);
      await client.query('COMMIT');
      return 'created' as const;
    } catch (error) {
      await client.query('ROLLBACK').catch((broken: Error) => {
        failure = broken;
      });
      if (isTaken(error, 'idempotency_key')) return 'repeated' as const;
      throw error;
    } finally {
      // A connection that could not even roll back is closed, not given to the next one.
      client.release(failure);
    }
  }

  return {
    async create(creation) {
      for (;;) {
        try {
          return await createOnce(creation);
        } catch (error) {
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
