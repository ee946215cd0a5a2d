import { toStorageError } from './failures.ts';
import type { Prisma, PrismaClient } from './generated/client.ts';

export type Transaction = Prisma.TransactionClient;

/** All of it or nothing. `doing` says what, if the database does not answer. */
export async function inTransaction<T>(
  prisma: PrismaClient,
  doing: string,
  act: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  try {
    return await prisma.$transaction(act);
  } catch (error) {
    throw toStorageError(error, doing);
  }
}
