import { Prisma, type PrismaClient } from './generated/client.ts';

export interface Debt {
  readonly id: string;
  readonly instanceId: string;
  readonly vmid: number;
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  /** What to remove, where the VMID does not say. */
  readonly subject: unknown;
  readonly attempts: number;
}

/** What deleted instances left in the world, until it is removed. */
export interface Debts {
  /** Up to `limit` of each kind, so that none crowds out another; those tried longest ago first. */
  list(limit: number): Promise<readonly Debt[]>;
  listOf(vmid: number): Promise<readonly Debt[]>;
  /** Idempotent: of one kind an instance owes once. */
  owe(debt: Omit<Debt, 'id' | 'attempts'>): Promise<void>;
  /** Gone: the debt and, unless something else is owed, what was reserved for its instance. */
  pay(debt: Debt): Promise<void>;
  postpone(id: string, failure: { code: string; message: string }): Promise<void>;
}

/** Who reads the debts of an instance to write one, or to write none, does so alone. */
async function inTurn(tx: Prisma.TransactionClient, instanceId: string): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${instanceId}, 0))`;
}

export function createDebts(prisma: PrismaClient): Debts {
  return {
    list: (limit) => prisma.$queryRaw<Debt[]>`
      SELECT id, instance_id AS "instanceId", vmid, kind, code, message, subject, attempts
      FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY tried_at) AS turn FROM debt) d
      WHERE turn <= ${limit} ORDER BY tried_at`,
    listOf: (vmid) => prisma.debt.findMany({ where: { vmid } }),
    async owe({ subject, ...debt }) {
      const { instanceId, kind } = debt;
      await prisma.$transaction(async (tx) => {
        await inTurn(tx, instanceId);
        const known = await tx.debt.findFirst({ where: { instanceId, kind } });
        if (known) return;
        const data = { ...debt, subject: (subject as Prisma.InputJsonValue) ?? Prisma.DbNull };
        await tx.debt.create({ data });
      });
    },
    async pay({ id, instanceId }) {
      await prisma.$transaction(async (tx) => {
        await inTurn(tx, instanceId);
        await tx.debt.deleteMany({ where: { id } });
        const left = await tx.debt.count({ where: { instanceId } });
        if (left > 0) return;
        await tx.vmidReservation.deleteMany({ where: { instanceId } });
        await tx.edgePort.deleteMany({ where: { instanceId } });
      });
    },
    async postpone(id, failure) {
      await prisma.debt.updateMany({
        where: { id },
        data: { ...failure, attempts: { increment: 1 }, triedAt: new Date() },
      });
    },
  };
}
