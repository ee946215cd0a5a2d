import { expect, test } from 'vitest';

import { ARCHIVE_STEP, COMMIT_STEPS } from '../../src/storage/commit-steps.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { createToys } from '../support/toy.ts';

/** The plan that a connection keeps: the one that does not look at the parameters. */
async function explain({ pool }: TestDatabase, text: string): Promise<readonly string[]> {
  const client = await pool.connect();
  try {
    await client.query('SET plan_cache_mode = force_generic_plan');
    await client.query(`PREPARE planned AS ${text}`);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>("EXPLAIN EXECUTE planned('[]')");
    return rows.map((row) => row['QUERY PLAN']);
  } finally {
    client.release(true);
  }
}

/** Those that may be empty at one moment and large at the next. */
const LARGE = / on (journal|effect|timer)\b/;

test.each([
  ['empty and never analyzed', 0, false],
  ['empty and analyzed', 0, true],
  ['small and analyzed', 3, true],
] as const)(
  'a plan made while the tables are %s finds every row by an index',
  async (_, toys, isAnalyzed) => {
    await using database = await createTestDatabase();
    await createToys(
      database,
      Array.from({ length: toys }, (__, i) => 100 + i),
    );
    if (isAnalyzed) await database.pool.query('ANALYZE');

    const plans = [await explain(database, COMMIT_STEPS), await explain(database, ARCHIVE_STEP)];

    for (const plan of plans) {
      const whole = plan.filter(
        (line, index) =>
          LARGE.test(line) &&
          /Seq Scan|Index (Only )?Scan/.test(line) &&
          !/Index Cond/.test(plan[index + 1] ?? ''),
      );
      expect(whole).toEqual([]);
      expect(plan.filter((line) => LARGE.test(line) && /Scan/.test(line))).not.toEqual([]);
    }
  },
);
