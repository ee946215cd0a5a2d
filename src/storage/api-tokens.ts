import type { Pool } from 'pg';

import { ConflictError } from '../errors.ts';
import { type AuditEntry, writeAudit } from './audit.ts';
import { asking } from './failures.ts';
import type { PrismaClient } from './generated/client.ts';
import { inTransaction, type Transaction } from './transaction.ts';
import { lockUser } from './users.ts';

export interface ApiTokenRow {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
}

export interface NewApiToken {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly hash: string;
  readonly scopes: readonly string[];
  readonly at: Date;
  readonly expiresAt: Date;
}

/** Who brings a token, and what it is good for. */
export interface ApiTokenBearer {
  readonly id: string;
  readonly userId: string;
  readonly role: 'user' | 'admin';
  readonly scopes: readonly string[];
  readonly expiresAt: Date | null;
}

export interface ApiTokens {
  /**
   * null: the session that asks for it has ended meanwhile.
   * @throws ConflictError if there are as many as an account may have
   */
  create(
    token: NewApiToken,
    asked: { readonly sessionId: string; readonly audit: AuditEntry },
  ): Promise<ApiTokenRow | null>;
  /** Those that count, the latest first. */
  list(userId: string, at: Date): Promise<readonly ApiTokenRow[]>;
  /** false: it has none of this id that counts. */
  revoke(
    one: { readonly id: string; readonly userId: string; readonly at: Date },
    audit: AuditEntry,
  ): Promise<boolean>;
  /** Notes also that it was used, by the minute. */
  find(hash: string, at: Date): Promise<ApiTokenBearer | null>;
}

const TOKENS_MAX = 50;

const FIND = `
WITH found AS (
  SELECT t.id, t.user_id AS "userId", t.scopes, t.expires_at AS "expiresAt", u.role
  FROM api_token t JOIN "user" u ON u.id = t.user_id
  WHERE t.hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2)
), noted AS (
  UPDATE api_token t SET last_used_at = $2 FROM found
  WHERE t.id = found.id
    AND (t.last_used_at IS NULL OR t.last_used_at < $2::timestamptz - interval '1 minute')
)
SELECT * FROM found`;

export function createApiTokens({
  pool,
  prisma,
}: {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
}): ApiTokens {
  return {
    create: ({ at, ...token }, { sessionId, audit }) =>
      inTransaction(prisma, 'create an API token', async (transaction) => {
        const { userId } = token;
        // It would outlive what ends the session: a password that is reset just now, say.
        await lockUser(transaction, userId);
        const session = await transaction.session.findFirst({
          where: { id: sessionId, userId, revokedAt: null, expiresAt: { gt: at } },
        });
        if (!session) return null;
        const living = await transaction.apiToken.count({ where: { userId, ...livingAt(at) } });
        if (living >= TOKENS_MAX) {
          throw new ConflictError(`there are ${TOKENS_MAX} tokens already: end one of them first`);
        }
        const data = { ...token, scopes: [...token.scopes], createdAt: at };
        const row = await transaction.apiToken.create({ data });
        await writeAudit(transaction, audit);
        return toApiToken(row);
      }),
    list: (userId, at) =>
      asking('list API tokens', async () => {
        const rows = await prisma.apiToken.findMany({
          where: { userId, ...livingAt(at) },
          orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        });
        return rows.map(toApiToken);
      }),
    revoke: ({ id, userId, at }, audit) =>
      inTransaction(prisma, 'revoke an API token', async (transaction) => {
        const { count } = await transaction.apiToken.updateMany({
          where: { id, userId, revokedAt: null },
          data: { revokedAt: at },
        });
        if (count > 0) await writeAudit(transaction, audit);
        return count > 0;
      }),
    find: (hash, at) =>
      asking('find an API token', async () => {
        const { rows } = await pool.query<ApiTokenBearer>(FIND, [hash, at]);
        return rows[0] ?? null;
      }),
  };
}

const livingAt = (at: Date) => ({
  ...{ revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: at } }] },
});

export async function revokeApiTokens(
  transaction: Transaction,
  { userId, at }: { readonly userId: string; readonly at: Date },
): Promise<void> {
  await transaction.apiToken.updateMany({
    where: { userId, revokedAt: null },
    data: { revokedAt: at },
  });
}

const toApiToken = ({ scopes, ...row }: Omit<ApiTokenRow, 'scopes'> & { scopes: unknown }) => ({
  ...row,
  scopes: scopes as readonly string[],
});
