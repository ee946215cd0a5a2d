import { parseArgs } from 'node:util';

import { hashPassword } from '../src/http/auth/passwords.ts';
import { openDatabase } from '../src/storage/database.ts';
import { createUsers } from '../src/storage/users.ts';

/**
 * Creates an account or changes it. The password comes from ACCOUNT_PASSWORD, so that it does
 * not end up in the list of processes.
 *
 *   npm run account -- --id u-1 --email ops@example.com --username ops --role admin
 */
const { values } = parseArgs({
  options: {
    id: { type: 'string' },
    email: { type: 'string' },
    username: { type: 'string' },
    role: { type: 'string', default: 'user' },
  },
});
const { id, email, username, role } = values;
const { DATABASE_URL: url, ACCOUNT_PASSWORD: password } = process.env;
if (!id || !email || !username || !url || !password || password.length < 8) {
  throw new Error(
    'needed: --id, --email, --username, DATABASE_URL, ACCOUNT_PASSWORD of 8 or more characters',
  );
}
if (role !== 'user' && role !== 'admin') throw new Error('--role: expected user or admin');
await using database = openDatabase({
  url,
  connectionsMax: 1,
  onError: (error) => console.error(error.message),
});
await createUsers(database.prisma).upsert({
  id,
  email,
  username,
  displayName: username,
  role,
  passwordHash: await hashPassword(password),
});
console.log(`account ${username} (${role}) is ready`);
