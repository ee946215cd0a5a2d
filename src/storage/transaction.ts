import { asking } from './failures.ts';
import type { Prisma, PrismaClient } from './generated/client.ts';

export type Transaction = Prisma.TransactionClient;

/** All of it or nothing. `doing` says what, if the database does not answer. */
export const inTransaction = <T>(
  prisma: PrismaClient,
  doing: string,
  act: (transaction: Transaction) => Promise<T>,
): Promise<T> => asking(doing, () => prisma.$transaction(act));
