import type { Pool } from 'pg';

import type { OperationRecord } from '../machines/instance/operations.ts';
import { createQuery } from './query.ts';

/** An operation, and the instance that it was about: perhaps not the one that has its number now. */
export interface ListedOperation {
  readonly instanceId: string;
  readonly vmid: number;
  readonly record: OperationRecord;
}

export interface OperationFilter {
  readonly state?: string | undefined;
  readonly kind?: string | undefined;
  readonly vmid?: number | undefined;
}

/** Operations of all instances, the latest first; `after`: the last one of the page before. */
export type ListOperations = (
  filter: OperationFilter,
  page: {
    readonly limit: number;
    readonly after?: { readonly instanceId: string; readonly id: string } | undefined;
  },
) => Promise<readonly ListedOperation[]>;

/** What is compared stands in the statement and what is not does not, so that each has its index. */
export function createOperationList(pool: Pool): ListOperations {
  const query = createQuery(pool);
  return async (filter, { limit, after }) => {
    const values: unknown[] = [];
    const put = (value: unknown) => `$${values.push(value)}`;
    const wanted = (['state', 'kind', 'vmid'] as const)
      .filter((name) => filter[name] !== undefined)
      .map((name) => `${name} = ${put(filter[name])}`);
    const beyond = after && [
      `(accepted_at, instance_id, id) < (SELECT accepted_at, instance_id, id FROM operation
        WHERE instance_id = ${put(after.instanceId)} AND id = ${put(after.id)})`,
    ];
    const where = [...wanted, ...(beyond ?? [])];
    const text = `SELECT instance_id AS "instanceId", vmid, record FROM operation
      ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`}
      ORDER BY accepted_at DESC, instance_id DESC, id DESC LIMIT ${put(limit)}`;
    return (await query<ListedOperation>(text, values, 'list operations')).rows;
  };
}
