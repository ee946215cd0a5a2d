import { createHash } from 'node:crypto';

import { revokeApiTokens } from './api-tokens.ts';
import { type AuditEntry, writeAudit } from './audit.ts';
import { asking } from './failures.ts';
import type { PrismaClient } from './generated/client.ts';
import { writeMail } from './mails.ts';
import { revokeSessions } from './sessions.ts';
import { inTransaction, type Transaction } from './transaction.ts';
import { lockUser, type User } from './users.ts';

export interface IssuedReset {
  readonly userId: string;
  /** How to address its owner. */
  readonly displayName: string;
  readonly token: string;
}

/**
 * Links that set a password. A link is made when its mail is sent, and only its hash is kept: who
 * reads our tables, queues or logs can open nothing.
 */
export interface PasswordResets {
  /** null: nobody has this address. */
  issueReset(email: string): Promise<IssuedReset | null>;
  /** Whose token is it? null: it does not count (any more). */
  find(token: string): Promise<Pick<User, 'id' | 'email' | 'username'> | null>;
  /**
   * Sets the password, uses up all tokens of the account, ends its sessions and API tokens, and
   * writes of it to the owner.
   * false: the token does not count (any more), and nothing is changed.
   */
  consume(
    token: string,
    how: {
      readonly userId: string;
      readonly passwordHash: string;
      readonly audit: AuditEntry;
      readonly mailKey: string;
    },
  ): Promise<boolean>;
}

export interface PasswordResetOptions {
  readonly prisma: PrismaClient;
  readonly ttlS: number;
  readonly now: () => number;
  /** 32 random bytes, as text. */
  readonly randomToken: () => string;
}

const hashOf = (token: string) => createHash('sha256').update(token).digest('base64url');

export function createPasswordResets(options: PasswordResetOptions): PasswordResets {
  const { prisma, ttlS, now, randomToken } = options;
  return {
    issueReset: (email) =>
      inTransaction(prisma, 'issue a password reset', async (transaction) => {
        const user = await transaction.user.findUnique({ where: { email: email.toLowerCase() } });
        if (!user) return null;
        const [token, at] = [randomToken(), now()];
        const createdAt = new Date(at);
        const { id: userId, username } = user;
        await transaction.passwordReset.deleteMany({
          where: { userId, expiresAt: { lt: createdAt } },
        });
        const expiresAt = new Date(at + ttlS * 1000);
        await transaction.passwordReset.create({
          data: { hash: hashOf(token), userId, createdAt, expiresAt },
        });
        // Not by a name of their choice: whoever registers somebody else's address would write to them.
        return { userId, displayName: username, token };
      }),
    find: (token) =>
      asking('find a password reset', async () => {
        const reset = await prisma.passwordReset.findFirst({
          where: { hash: hashOf(token), usedAt: null, expiresAt: { gt: new Date(now()) } },
        });
        return reset && (await prisma.user.findUnique({ where: { id: reset.userId } }));
      }),
    consume: (token, { userId, passwordHash, audit, mailKey: key }) =>
      inTransaction(prisma, 'reset a password', async (transaction) => {
        const at = new Date(now());
        // Who brings another token of the same account at the same moment waits, and is too late.
        const user = await lockUser(transaction, userId);
        const { count } = await transaction.passwordReset.updateMany({
          where: { hash: hashOf(token), userId, usedAt: null, expiresAt: { gt: at } },
          data: { usedAt: at },
        });
        if (!user || count === 0) return false;
        await useUpResets(transaction, { userId, at });
        await transaction.user.update({ where: { id: userId }, data: { passwordHash } });
        await revokeSessions(transaction, { userId, at }, 'reset');
        await revokeApiTokens(transaction, { userId, at });
        await writeAudit(transaction, audit);
        const { email: recipient } = user;
        await writeMail(transaction, { key, kind: 'password_changed', recipient, params: {} });
        return true;
      }),
  };
}

export async function useUpResets(
  transaction: Transaction,
  { userId, at }: { readonly userId: string; readonly at: Date },
): Promise<void> {
  await transaction.passwordReset.updateMany({
    where: { userId, usedAt: null },
    data: { usedAt: at },
  });
}
