import { asking } from './failures.ts';
import type { Prisma, PrismaClient } from './generated/client.ts';
import type { Transaction } from './transaction.ts';

/** What was done to accounts and to money, and by whom. */
export interface AuditEntry {
  /** null: nobody who is signed in. */
  readonly actorId: string | null;
  /** Whose account it is about; null: nobody knows. */
  readonly subjectId: string | null;
  /** `noun.pastParticiple`. */
  readonly action: string;
  readonly outcome: 'done' | 'refused';
  readonly ip: string | null;
  /** Never a secret, nor what somebody typed where a secret might have slipped in. */
  readonly detail: Readonly<Record<string, string | number | readonly string[] | null>>;
}

export interface StoredAuditEntry {
  readonly id: string;
  readonly at: Date;
  readonly actorId: string | null;
  readonly subjectId: string | null;
  readonly action: string;
  readonly outcome: string;
  readonly ip: string | null;
  readonly detail: unknown;
}

export interface Audit {
  write(entry: AuditEntry): Promise<void>;
  /** However often it is written: it is there once for each key. */
  writeOnce(key: string, entry: AuditEntry): Promise<void>;
  /** The latest first; `after`: the id of the last one of the page before. */
  list(page: {
    readonly limit: number;
    readonly after?: string | undefined;
    readonly subjectId?: string | undefined;
    readonly action?: string | undefined;
  }): Promise<readonly StoredAuditEntry[]>;
}

/** In the transaction of what it tells of. */
export async function writeAudit(transaction: Transaction, entry: AuditEntry): Promise<void> {
  await transaction.auditEntry.create({ data: toRow(entry) });
}

const toRow = (entry: AuditEntry) => ({
  ...entry,
  detail: entry.detail as Prisma.InputJsonObject,
});

export function createAudit(prisma: PrismaClient): Audit {
  return {
    async write(entry) {
      const data = toRow(entry);
      await asking('write an audit entry', async () => prisma.auditEntry.create({ data }));
    },
    async writeOnce(key, entry) {
      const data = [{ ...toRow(entry), key }];
      await asking('write an audit entry', async () =>
        prisma.auditEntry.createMany({ data, skipDuplicates: true }),
      );
    },
    list: ({ limit, after, subjectId, action }) =>
      asking('list audit entries', async () =>
        prisma.auditEntry.findMany({
          where: {
            ...(subjectId !== undefined && { subjectId }),
            ...(action !== undefined && { action }),
          },
          orderBy: [{ at: 'desc' }, { id: 'desc' }],
          take: limit,
          ...(after !== undefined && { cursor: { id: after }, skip: 1 }),
        }),
      ),
  };
}
