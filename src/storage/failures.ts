import { UnavailableError } from '../errors.ts';

/**
 * SQLSTATE classes after which the same statement may succeed: connection, shutdown, conflict. And
 * what Prisma calls them.
 */
const TRANSIENT = /^(08|57P|53|40001|40P01|55P03|57014|P1001|P1002|P1008|P1017|P2024|P2028|P2034)/;

export function isConflict(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === '40P01' || code === '40001';
}

/** Somebody else has written the row that was to be ours. */
export function isTaken(error: unknown, table: string): boolean {
  const violation = error as { code?: string; table?: string };
  return violation.code === '23505' && violation.table === table;
}

/** Wraps what a broken or busy database throws, once; a bug in our SQL stays what it is. */
export function toStorageError(error: unknown, doing: string): unknown {
  const { code } = error as { code?: string };
  const isSocket = code !== undefined && /^E[A-Z]+$/.test(code);
  const isPool =
    error instanceof Error && /timeout exceeded|Connection terminated/.test(error.message);
  if (isSocket || isPool || (code !== undefined && TRANSIENT.test(code))) {
    return new UnavailableError(`the database did not answer: ${doing}`, { cause: error });
  }
  return error;
}

/** What `act` asks of the database, or an error that says what could not be asked. */
export async function asking<T>(doing: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw toStorageError(error, doing);
  }
}
