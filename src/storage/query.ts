import type { Pool, QueryResult } from 'pg';

import { toStorageError } from './failures.ts';

/** `doing`: what is tried, for the error that the database gives rise to. */
export type Query = <Row extends object>(
  text: string,
  values: unknown[],
  doing: string,
) => Promise<QueryResult<Row>>;

/** Asks the database, whose failures are told apart from our own mistakes. */
export const createQuery =
  (pool: Pool): Query =>
  async <Row extends object>(text: string, values: unknown[], doing: string) => {
    try {
      return await pool.query<Row>(text, values);
    } catch (error) {
      throw toStorageError(error, doing);
    }
  };
