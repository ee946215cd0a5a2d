import { createTokens } from '../../src/http/auth/tokens.ts';
import type { Database } from '../../src/storage/database.ts';

const LIFE_S = 43_200;

/** The tokens of users who have signed in. Their accounts are made for that. */
export async function signIn(
  { pool }: Pick<Database, 'pool'>,
  { secret, users, role }: { secret: string; users: readonly string[]; role: 'user' | 'admin' },
): Promise<readonly string[]> {
  await pool.query(
    `INSERT INTO "user" (id, email, username, role, password_hash)
     SELECT id, id || '@bench.test', id, $2::role, '-' FROM unnest($1::text[]) AS id
     ON CONFLICT (id) DO UPDATE SET role = excluded.role`,
    [users, role],
  );
  await pool.query(
    `INSERT INTO session (id, user_id, expires_at)
     SELECT 's-' || id, id, now() + $2 * interval '1 second' FROM unnest($1::text[]) AS id
     ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at`,
    [users, LIFE_S],
  );
  const tokens = createTokens({
    ...{ secret, oldSecrets: [], issuer: 'zpack', now: Date.now },
    ...{ accessTtlS: LIFE_S, refreshTtlS: LIFE_S, ideTtlS: LIFE_S, ideCookieTtlS: LIFE_S },
  });
  const issued = users.map((userId) => tokens.issueAccess({ userId, sid: `s-${userId}` }));
  return (await Promise.all(issued)).map(({ token }) => token);
}
