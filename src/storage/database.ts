import { PrismaPg } from '@prisma/adapter-pg';
import { Pool } from 'pg';

import { PrismaClient } from './generated/client.ts';

/** One pool for both ways in: raw SQL where a statement is hot, Prisma everywhere else. */
export interface Database extends AsyncDisposable {
  readonly pool: Pool;
  readonly prisma: PrismaClient;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly connectionsMax: number;
  readonly onError: (error: Error) => void;
}

export function openDatabase({ url, connectionsMax, onError }: DatabaseOptions): Database {
  const pool = new Pool({
    connectionString: url,
    max: connectionsMax,
    // A plan made while a table is small is kept while it grows: it must use the index from the
    // beginning. What has no index is still scanned.
    options: '-c enable_seqscan=off',
    // A statement that hangs must not hold the lock of the journal, nor its caller.
    statement_timeout: 30_000,
    idle_in_transaction_session_timeout: 10_000,
    connectionTimeoutMillis: 5_000,
  });
  // An idle connection that breaks is replaced by the pool; unheard, the error would end us.
  pool.on('error', onError);
  // What went wrong without what was asked: that may be a hash of a password, and is logged.
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool), errorFormat: 'minimal' });
  return {
    pool,
    prisma,
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}
