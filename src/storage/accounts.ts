import { ConflictError } from '../errors.ts';
import { revokeApiTokens } from './api-tokens.ts';
import { type AuditEntry, writeAudit } from './audit.ts';
import type { PrismaClient } from './generated/client.ts';
import { writeMail } from './mails.ts';
import { useUpResets } from './password-resets.ts';
import { insertSession, type NewSession, revokeSessions } from './sessions.ts';
import { inTransaction } from './transaction.ts';
import {
  createUsers,
  insertUser,
  lockUser,
  type NewUser,
  requireOtherAdmin,
  type StoredUser,
} from './users.ts';

/** What changes an account as a whole, and says so in the audit, at once or not at all. */
export interface Accounts {
  /** @throws ConflictError `account_exists`, with the `field` that is taken */
  register(user: NewUser, opened: { session: NewSession; audit: AuditEntry }): Promise<StoredUser>;
  /**
   * Ends all other sessions and all API tokens, and writes of it to the owner. false: the password
   * is not the one that was checked any more.
   */
  changePassword(change: {
    readonly userId: string;
    readonly sessionId: string;
    readonly from: string;
    readonly to: string;
    readonly at: Date;
    readonly audit: AuditEntry;
    readonly mailKey: string;
  }): Promise<boolean>;
  /** null: there is no such account. @throws ConflictError for the last administrator */
  changeRole(
    userId: string,
    role: 'user' | 'admin',
    audit: (from: 'user' | 'admin') => AuditEntry,
  ): Promise<StoredUser | null>;
}

export function createAccounts(prisma: PrismaClient): Accounts {
  const users = createUsers(prisma);
  return {
    async register(user, { session, audit }) {
      try {
        return await inTransaction(prisma, 'register an account', async (transaction) => {
          const stored = await insertUser(transaction, user);
          await insertSession(transaction, session);
          await writeAudit(transaction, audit);
          return stored;
        });
      } catch (error) {
        // Somebody else was faster with the same name.
        const field = isDuplicate(error) ? await users.findTaken(user) : null;
        throw field === null ? error : accountExists(field);
      }
    },
    changePassword: ({ userId, sessionId, from, to, at, audit, mailKey: key }) =>
      inTransaction(prisma, 'change a password', async (transaction) => {
        const user = await lockUser(transaction, userId);
        if (user?.passwordHash !== from) return false;
        await transaction.user.update({ where: { id: userId }, data: { passwordHash: to } });
        await revokeSessions(transaction, { userId, exceptId: sessionId, at }, 'password_change');
        await revokeApiTokens(transaction, { userId, at });
        await useUpResets(transaction, { userId, at });
        await writeAudit(transaction, audit);
        const { email: recipient } = user;
        await writeMail(transaction, { key, kind: 'password_changed', recipient, params: {} });
        return true;
      }),
    changeRole: (userId, role, audit) =>
      inTransaction(prisma, 'change a role', async (transaction) => {
        if (role !== 'admin') await requireOtherAdmin(transaction, userId);
        const before = await lockUser(transaction, userId);
        if (!before) return null;
        const user = await transaction.user.update({ where: { id: userId }, data: { role } });
        if (before.role !== role) await writeAudit(transaction, audit(before.role));
        return user;
      }),
  };
}

export const accountExists = (field: 'email' | 'username'): ConflictError =>
  new ConflictError(`this ${field} belongs to an account already`, {
    code: 'account_exists',
    details: { field },
  });

const isDuplicate = (error: unknown) => (error as { code?: string }).code === 'P2002';
