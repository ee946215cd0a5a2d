import type { Pool } from 'pg';

import { toStorageError } from './failures.ts';
import type { MailOrder } from './mail-order.ts';
import { createQuery } from './query.ts';
import type { Transaction } from './transaction.ts';

/**
 * `sending`: somebody holds it. `void`: there was nothing to say. `uncertain`: it may have been
 * taken, and so is not sent again.
 */
export const MAIL_STATES = [
  'queued',
  'sending',
  'sent',
  'void',
  'failed',
  'bounced',
  'uncertain',
] as const;
export type MailState = (typeof MAIL_STATES)[number];

/** One attempt: its number is what tells it from a later one. */
export interface ClaimedMail {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  readonly params: unknown;
  readonly attempts: number;
  /** Where an earlier attempt may have left it. */
  readonly transport: string | null;
  readonly createdAt: Date;
}

export type MailOutcome =
  | { readonly state: 'sent'; readonly transport: string; readonly messageId: string | null }
  | { readonly state: 'void' }
  | { readonly state: 'failed' | 'bounced' | 'uncertain'; readonly error: string }
  | {
      readonly state: 'queued';
      readonly delayMs: number;
      readonly error: string | null;
      /** The only one that may send it again. */
      readonly transport: string | null;
    };

/** What an administrator sees of a mail: neither what it says nor what it is made of. */
export interface ListedMail {
  readonly id: string;
  readonly kind: string;
  readonly recipient: string;
  readonly state: MailState;
  readonly attempts: number;
  readonly transport: string | null;
  readonly error: string | null;
  readonly createdAt: Date;
  readonly dueAt: Date;
  readonly finishedAt: Date | null;
}

/** Mails that are to be sent, each once. */
export interface Mails {
  /** Under a key that is known already, nothing is queued: null. */
  queue(order: MailOrder): Promise<string | null>;
  /** Those whose time has come, longest waiting first. */
  listDue(limit: number): Promise<readonly string[]>;
  /** null: it is not to be sent now, or somebody else does. */
  claim(id: string, leaseMs: number): Promise<ClaimedMail | null>;
  /** Before the message leaves by `transport`. false: it must not, somebody else decides by now. */
  begin(mail: ClaimedMail, transport: string): Promise<boolean>;
  /** Void if a later attempt has been made. Remembers of an account whether mail reaches it. */
  finish(mail: ClaimedMail, outcome: MailOutcome): Promise<void>;
  /** What became of one that Resend had taken. false: no such mail is known. */
  noteFate(mail: {
    /** As Resend named it, and as we did: either will do. */
    readonly messageId: string | null;
    readonly mailId: string | null;
    /** Else it came back. */
    readonly hasArrived: boolean;
    /** Why, in a word. */
    readonly type: string;
  }): Promise<boolean>;
  /**
   * Mails whose sender has died are queued again, but not if they may have been taken by a
   * transport that does not recognize them: those are `uncertain`.
   */
  succeedDead(options: {
    readonly repeatable: readonly string[];
    readonly attemptsMax: number;
  }): Promise<void>;
  /** Latest first, beyond the mail `after`. */
  list(options: {
    readonly state?: MailState | undefined;
    readonly after?: string | undefined;
    readonly limit: number;
  }): Promise<readonly ListedMail[]>;
}

/** Queues a mail in a transaction of whoever asks. null: its key is known already. */
export async function queueMail(
  tx: Pick<Pool, 'query'>,
  { key, kind, recipient, params }: MailOrder,
): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>(
    `INSERT INTO mail (key, kind, recipient, params, state) VALUES ($1, $2, $3, $4, 'queued')
     ON CONFLICT (key) DO NOTHING RETURNING id`,
    [key, kind, recipient, JSON.stringify(params)],
  );
  return rows[0]?.id ?? null;
}

/** The same, under a key that nobody else has, in the transaction of what it tells of. */
export async function writeMail(transaction: Transaction, order: MailOrder): Promise<void> {
  await transaction.mail.create({ data: { ...order, state: 'queued' } });
}

const FINISH = `
  WITH finished AS (
    UPDATE mail SET state = $3, error = $4, message_id = $6, leased_until = NULL,
      transport = CASE WHEN $3 = 'uncertain' THEN transport ELSE $5 END,
      due_at = CASE WHEN $3 = 'queued' THEN now() + $7 * interval '1 millisecond' ELSE due_at END,
      finished_at = CASE WHEN $3 = 'queued' THEN NULL ELSE now() END
    WHERE id = $1 AND attempts = $2 AND state IN ('sending', 'uncertain')
    RETURNING recipient
  )
  UPDATE "user" SET mail_bounced_at = CASE WHEN $3 = 'bounced' THEN now() END
  FROM finished
  WHERE "user".email = lower(finished.recipient)
    AND ($3 = 'bounced'
      OR ($3 = 'sent' AND $5 IS DISTINCT FROM 'resend' AND mail_bounced_at IS NOT NULL))`;

/** Whoever sends it may not have written down yet that it has gone: that follows, and stays so. */
const NOTE_FATE = `
  WITH told AS (
    UPDATE mail SET
      state = CASE WHEN $3 THEN state ELSE 'bounced' END,
      error = CASE WHEN $3 THEN error ELSE $4 END,
      finished_at = CASE WHEN $3 THEN finished_at ELSE COALESCE(finished_at, now()) END
    WHERE transport = 'resend' AND (id = $2 OR message_id = $1) RETURNING recipient
  ), marked AS (
    UPDATE "user" SET mail_bounced_at = CASE WHEN $3 THEN NULL ELSE COALESCE(mail_bounced_at, now()) END
    FROM told WHERE "user".email = lower(told.recipient)
  )
  SELECT count(*)::int AS known FROM told`;

/** A time is kept in whole milliseconds, and so may be up to half of one ahead of its own moment. */
const IS_DUE = `due_at <= now() + interval '1 ms'`;

const SUCCEED_DEAD = `
  UPDATE mail SET leased_until = NULL, error = 'worker_lost',
    state = CASE WHEN is_repeatable AND attempts < $2 THEN 'queued'
      WHEN transport IS NULL THEN 'failed' ELSE 'uncertain' END,
    finished_at = CASE WHEN is_repeatable AND attempts < $2 THEN NULL ELSE now() END
  FROM (
    SELECT id AS dead_id, transport IS NULL OR transport = ANY($1) AS is_repeatable FROM mail
    WHERE state = 'sending' AND leased_until < now() FOR UPDATE SKIP LOCKED
  ) dead
  WHERE id = dead_id`;

const LIST = `
  SELECT id, kind, recipient, state, attempts, transport, error, created_at AS "createdAt",
    due_at AS "dueAt", finished_at AS "finishedAt"
  FROM mail
  WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text IS NULL OR
      (created_at, id) < (SELECT one.created_at, one.id FROM mail one WHERE one.id = $2))
  ORDER BY created_at DESC, id DESC LIMIT $3`;

export function createMails(pool: Pool): Mails {
  const query = createQuery(pool);

  return {
    queue: (order) =>
      queueMail(pool, order).catch((error: unknown) => {
        throw toStorageError(error, 'queue a mail');
      }),
    async listDue(limit) {
      const { rows } = await query<{ id: string }>(
        `SELECT id FROM mail WHERE state = 'queued' AND ${IS_DUE} ORDER BY due_at LIMIT $1`,
        [limit],
        'list mails that are due',
      );
      return rows.map(({ id }) => id);
    },
    async claim(id, leaseMs) {
      const { rows } = await query<ClaimedMail>(
        `UPDATE mail SET state = 'sending', attempts = attempts + 1,
           leased_until = now() + $2 * interval '1 millisecond'
         WHERE id = $1 AND state = 'queued' AND ${IS_DUE}
         RETURNING id, kind, recipient, params, attempts, transport, created_at AS "createdAt"`,
        [id, leaseMs],
        'claim a mail',
      );
      return rows[0] ?? null;
    },
    async begin({ id, attempts }, transport) {
      const { rowCount } = await query(
        `UPDATE mail SET transport = $3
         WHERE id = $1 AND attempts = $2 AND state = 'sending' AND leased_until > now()`,
        [id, attempts, transport],
        'begin to send a mail',
      );
      return rowCount === 1;
    },
    async finish({ id, attempts }, outcome) {
      const { state } = outcome;
      const error = 'error' in outcome ? outcome.error : null;
      const transport = 'transport' in outcome ? outcome.transport : null;
      const messageId = 'messageId' in outcome ? outcome.messageId : null;
      const delayMs = 'delayMs' in outcome ? outcome.delayMs : 0;
      const values = [id, attempts, state, error, transport, messageId, delayMs];
      await query(FINISH, values, 'finish a mail');
    },
    async noteFate({ messageId, mailId, hasArrived, type }) {
      const values = [messageId, mailId, hasArrived, type];
      const { rows } = await query<{ known: number }>(NOTE_FATE, values, 'note the fate of a mail');
      return (rows[0]?.known ?? 0) > 0;
    },
    async succeedDead({ repeatable, attemptsMax }) {
      await query(SUCCEED_DEAD, [repeatable, attemptsMax], 'succeed dead senders of mails');
    },
    async list({ state = null, after = null, limit }) {
      return (await query<ListedMail>(LIST, [state, after, limit], 'list mails')).rows;
    },
  };
}
