import type { Pool } from 'pg';

import { asking } from './failures.ts';

export type Roles = ReadonlyMap<string, 'user' | 'admin'>;

const FIND_ROLES = `
SELECT s.id, u.role FROM session s JOIN "user" u ON u.id = s.user_id
WHERE s.id = ANY($1::text[]) AND s.revoked_at IS NULL AND s.expires_at > $2
UNION ALL
SELECT t.id, CASE WHEN t.scopes ? 'admin' THEN u.role ELSE 'user' END
FROM api_token t JOIN "user" u ON u.id = t.user_id
WHERE t.id = ANY($1::text[]) AND t.revoked_at IS NULL
  AND (t.expires_at IS NULL OR t.expires_at > $2)`;

/**
 * The roles that sessions and API tokens give at this moment, by their ids: many at a time, for
 * whoever has let somebody in long ago. Those that do not count any more are left out.
 */
export const createFindRoles =
  (pool: Pool) =>
  (ids: readonly string[], at: Date): Promise<Roles> =>
    asking('look at sessions', async () => {
      type Row = { readonly id: string; readonly role: 'user' | 'admin' };
      const { rows } = await pool.query<Row>(FIND_ROLES, [ids, at]);
      return new Map(rows.map(({ id, role }) => [id, role]));
    });
