import { fileURLToPath } from 'node:url';

import { Client } from 'pg';

import { applyMigrations } from '../src/storage/migrations.ts';

/** Brings the database of DATABASE_URL to the newest schema. */
const url = process.env['DATABASE_URL'];
if (!url) throw new Error('DATABASE_URL is not set');
const client = new Client({ connectionString: url });
await client.connect();
try {
  const folder = fileURLToPath(new URL('../prisma/migrations', import.meta.url));
  const applied = await applyMigrations(client, folder);
  console.log(applied.length === 0 ? 'the schema is up to date' : `applied ${applied.join(', ')}`);
} finally {
  await client.end();
}
