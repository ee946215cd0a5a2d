import type { Pool } from 'pg';

import { createQuery } from './query.ts';

export interface Customer {
  readonly userId: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: 'user' | 'admin';
  /** As Stripe knows the user; null: not yet. */
  readonly customerId: string | null;
}

export interface Use {
  readonly slots: number;
  readonly memoryMiB: number;
}

export const isWithin = (used: Use, limits: Use): boolean =>
  used.slots <= limits.slots && used.memoryMiB <= limits.memoryMiB;

/** Users as billing knows them, and what they use. */
export interface Customers {
  find(userId: string): Promise<Customer | null>;
  findByCustomerIds(customerIds: readonly string[]): Promise<readonly Customer[]>;
  /** The first one stays. Answers which that is. */
  keepCustomerId(userId: string, customerId: string): Promise<string>;
  useOf(userId: string): Promise<Use>;
  listInstanceIds(userId: string): Promise<readonly string[]>;
  /** Instances that have not heard of the last decision on them, with whose they are. */
  listUntold(page: Page): Promise<readonly { instanceId: string; userId: string }[]>;
  /** Owners of subscriptions that take them for what they are not, as what they are. */
  listRoles(page: Page): Promise<readonly { userId: string; role: 'user' | 'admin' }[]>;
}

interface Page {
  /** The id of the last one of the page before; empty for the first page. */
  readonly after: string;
  readonly limit: number;
}

const CUSTOMER = `id AS "userId", email, COALESCE(display_name, username) AS name, role,
  stripe_customer_id AS "customerId"`;

/** Whatever exists counts, also what is being made or deleted. */
export const USE_OF = `
SELECT count(*)::int AS slots,
  COALESCE(sum((payload ->> 'memoryMiB')::int), 0)::int AS "memoryMiB"
FROM container_instance WHERE customer_id = $1`;

const LIST_UNTOLD = `
SELECT c.id AS "instanceId", s.user_id AS "userId"
FROM subscription s JOIN container_instance c ON c.customer_id = s.user_id
WHERE (s.snapshot -> 'context' ->> 'order')::int > 0
  AND COALESCE((c.snapshot -> 'context' -> 'entitlement' ->> 'order')::int, 0)
    < (s.snapshot -> 'context' ->> 'order')::int
  AND c.id > $1
ORDER BY c.id LIMIT $2`;

const LIST_ROLES = `
SELECT u.id AS "userId", u.role
FROM subscription s JOIN "user" u ON u.id = s.user_id
WHERE (u.role = 'admin') <> COALESCE((s.snapshot -> 'context' ->> 'isExempt')::boolean, false)
  AND u.id > $1
ORDER BY u.id LIMIT $2`;

export function createCustomers(pool: Pool): Customers {
  const query = createQuery(pool);
  return {
    async find(userId) {
      const text = `SELECT ${CUSTOMER} FROM "user" WHERE id = $1`;
      return (await query<Customer>(text, [userId], 'find a customer')).rows[0] ?? null;
    },
    async findByCustomerIds(customerIds) {
      const text = `SELECT ${CUSTOMER} FROM "user" WHERE stripe_customer_id = ANY($1)`;
      return (await query<Customer>(text, [customerIds], 'find customers')).rows;
    },
    async keepCustomerId(userId, customerId) {
      const text = `UPDATE "user" SET stripe_customer_id = COALESCE(stripe_customer_id, $2)
        WHERE id = $1 RETURNING stripe_customer_id AS "customerId"`;
      const { rows } = await query<{ customerId: string }>(
        text,
        [userId, customerId],
        'keep a customer id',
      );
      return rows[0]?.customerId ?? customerId;
    },
    async useOf(userId) {
      const { rows } = await query<Use>(USE_OF, [userId], 'count what is in use');
      return rows[0] ?? { slots: 0, memoryMiB: 0 };
    },
    async listInstanceIds(userId) {
      const text = 'SELECT id FROM container_instance WHERE customer_id = $1 ORDER BY id';
      const { rows } = await query<{ id: string }>(text, [userId], 'list instances');
      return rows.map(({ id }) => id);
    },
    async listRoles({ after, limit }) {
      const what = 'list roles that subscriptions do not know';
      return (
        await query<{ userId: string; role: 'user' | 'admin' }>(LIST_ROLES, [after, limit], what)
      ).rows;
    },
    async listUntold({ after, limit }) {
      const { rows } = await query<{ instanceId: string; userId: string }>(
        LIST_UNTOLD,
        [after, limit],
        'list instances that were not told',
      );
      return rows;
    },
  };
}
