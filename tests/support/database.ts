import { randomBytes } from 'node:crypto';

import pg from 'pg';
import { inject } from 'vitest';

import { type Database, openDatabase } from '../../src/storage/database.ts';

export interface TestDatabase extends Database {
  readonly url: string;
}

/** A database of one's own, as migrated. Dropped when disposed, whoever is still connected. */
export function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(inject('templateDatabase'));
}

/** The same with nothing in it. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return createDatabase('template1');
}

async function createDatabase(template: string): Promise<TestDatabase> {
  const name = `zpack_${randomBytes(6).toString('hex')}`;
  const serverUrl = inject('databaseUrl');
  await administer(serverUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  // Connections that the final DROP cuts are expected; nothing else breaks here.
  const database = openDatabase({ url: url.href, connectionsMax: 8, onError: () => {} });
  return {
    ...database,
    url: url.href,
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await administer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
  };
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
