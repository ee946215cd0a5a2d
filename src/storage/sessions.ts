import type { Pool } from 'pg';

import { type AuditEntry, writeAudit } from './audit.ts';
import { asking } from './failures.ts';
import type { PrismaClient } from './generated/client.ts';
import { inTransaction, type Transaction } from './transaction.ts';
import { lockUser } from './users.ts';

export interface NewSession {
  readonly id: string;
  readonly userId: string;
  readonly userAgent: string | null;
  readonly refreshHash: string;
  readonly at: Date;
  readonly expiresAt: Date;
}

export interface SessionRow {
  readonly id: string;
  readonly userAgent: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
}

export interface Rotation {
  readonly sessionId: string;
  readonly userId: string;
  readonly hash: string;
  readonly nextHash: string;
  readonly at: Date;
  readonly expiresAt: Date;
  /** Tokens of before then are not believed any more by their own word. */
  readonly forgetBefore: Date;
  /** Written if the token was used before. */
  readonly replayAudit: AuditEntry;
}

export type RevokedFor =
  | 'logout'
  | 'revoked'
  | 'refresh_replay'
  | 'password_change'
  | 'reset'
  | 'too_many';

/** Sign-ins. One is the family of the refresh tokens that came of it: they live and die together. */
export interface Sessions {
  /** false: the password that was checked is not that of the account any more. */
  open(session: NewSession, checked: { passwordHash: string; audit: AuditEntry }): Promise<boolean>;
  /** Of two who bring the same token one wins; the other shows that it has been stolen. */
  rotate(rotation: Rotation): Promise<'rotated' | 'replayed' | 'refused'>;
  /** false: it has none of this id that is alive. */
  revoke(
    one: { readonly id: string; readonly userId: string; readonly at: Date },
    how: { readonly revokedFor: RevokedFor; readonly audit: AuditEntry },
  ): Promise<boolean>;
  /** Those that are alive, the latest use first. */
  list(userId: string, at: Date): Promise<readonly SessionRow[]>;
  /** The role of whose session it is, of now. null: it does not count (any more). */
  findRole(one: { id: string; userId: string; at: Date }): Promise<'user' | 'admin' | null>;
}

const SESSIONS_MAX = 50;

const FIND_ROLE = `
SELECT u.role FROM session s JOIN "user" u ON u.id = s.user_id
WHERE s.id = $1 AND s.user_id = $2 AND s.revoked_at IS NULL AND s.expires_at > $3`;

export function createSessions({
  pool,
  prisma,
}: {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
}): Sessions {
  return {
    open: (session, { passwordHash, audit }) =>
      inTransaction(prisma, 'open a session', async (transaction) => {
        // A password that is changed while it is checked must not open anything.
        const user = await lockUser(transaction, session.userId);
        if (user?.passwordHash !== passwordHash) return false;
        await insertSession(transaction, session);
        await endOldest(transaction, session);
        await writeAudit(transaction, audit);
        return true;
      }),
    rotate: (rotation) =>
      inTransaction(prisma, 'rotate a refresh token', (transaction) =>
        rotate(transaction, rotation),
      ),
    revoke: ({ id, userId, at }, { revokedFor, audit }) =>
      inTransaction(prisma, 'revoke a session', async (transaction) => {
        const { count } = await transaction.session.updateMany({
          where: { id, userId, revokedAt: null },
          data: { revokedAt: at, revokedFor },
        });
        if (count > 0) await writeAudit(transaction, audit);
        return count > 0;
      }),
    list: (userId, at) =>
      asking('list sessions', async () =>
        prisma.session.findMany({
          where: { userId, revokedAt: null, expiresAt: { gt: at } },
          orderBy: { lastUsedAt: 'desc' },
        }),
      ),
    findRole: ({ id, userId, at }) =>
      asking('find a session', async () => {
        const values = [id, userId, at];
        const { rows } = await pool.query<{ role: 'user' | 'admin' }>(FIND_ROLE, values);
        return rows[0]?.role ?? null;
      }),
  };
}

export async function insertSession(
  transaction: Transaction,
  { id, userId, userAgent, refreshHash, at, expiresAt }: NewSession,
): Promise<void> {
  await transaction.session.create({
    data: { id, userId, userAgent, createdAt: at, lastUsedAt: at, expiresAt },
  });
  await transaction.refreshToken.create({
    data: { hash: refreshHash, sessionId: id, createdAt: at },
  });
}

export async function revokeSessions(
  transaction: Transaction,
  which: { readonly userId: string; readonly exceptId?: string; readonly at: Date },
  revokedFor: RevokedFor,
): Promise<void> {
  const { userId, exceptId, at } = which;
  await transaction.session.updateMany({
    where: { userId, revokedAt: null, ...(exceptId !== undefined && { id: { not: exceptId } }) },
    data: { revokedAt: at, revokedFor },
  });
}

async function rotate(transaction: Transaction, rotation: Rotation) {
  const { sessionId, userId, hash, nextHash, at, expiresAt, forgetBefore } = rotation;
  const isAlive = { id: sessionId, userId, revokedAt: null, expiresAt: { gt: at } };
  // Two who do this at the same moment take turns at the row, and the second one finds it used.
  const used = await transaction.refreshToken.updateMany({
    where: { hash, sessionId, usedAt: null },
    data: { usedAt: at },
  });
  if (used.count === 0) {
    if (!(await transaction.refreshToken.findUnique({ where: { hash } }))) return 'refused';
    const { count } = await transaction.session.updateMany({
      where: isAlive,
      data: { revokedAt: at, revokedFor: 'refresh_replay' },
    });
    if (count === 0) return 'refused';
    await writeAudit(transaction, rotation.replayAudit);
    return 'replayed';
  }
  const { count } = await transaction.session.updateMany({
    where: isAlive,
    data: { lastUsedAt: at, expiresAt },
  });
  if (count === 0) return 'refused';
  await transaction.refreshToken.create({ data: { hash: nextHash, sessionId, createdAt: at } });
  await transaction.refreshToken.deleteMany({
    where: { sessionId, createdAt: { lt: forgetBefore } },
  });
  return 'rotated';
}

/** The one that was used longest ago makes room: nobody has that many devices. */
async function endOldest(transaction: Transaction, { userId, at }: NewSession): Promise<void> {
  const beyond = await transaction.session.findMany({
    where: { userId, revokedAt: null, expiresAt: { gt: at } },
    orderBy: [{ lastUsedAt: 'desc' }, { createdAt: 'desc' }],
    skip: SESSIONS_MAX,
    select: { id: true },
  });
  if (beyond.length === 0) return;
  await transaction.session.updateMany({
    where: { id: { in: beyond.map(({ id }) => id) } },
    data: { revokedAt: at, revokedFor: 'too_many' },
  });
}
