import { appendFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { inject } from 'vitest';

export interface TestLog {
  readonly output: { write(line: string): void };
  /** From now on no log of the whole suite may hold this. */
  keepSecret(secret: string): void;
}

const SECRET_NAME = /(SECRET|TOKEN|KEY|PASS)$/;

/**
 * The log of nodes of a test, in the folder that is searched for secrets when the suite has ended.
 * Each line is written at once: however a worker ends, nothing is lost.
 */
export function openTestLog(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): TestLog {
  // A soak runs without the suite, and nobody searches its logs.
  const isSuite = process.env['VITEST'] !== undefined;
  const folder = isSuite ? inject('logFolder') : mkdtempSync(join(tmpdir(), 'zpack-soak-'));
  const file = join(folder, `${name}.log`);
  const keepSecret = (secret: string) =>
    appendFileSync(join(folder, `${name}.secrets`), `${secret}\n`);
  for (const [variable, value] of Object.entries(environment)) {
    if (value !== undefined && SECRET_NAME.test(variable)) keepSecret(value);
  }
  return { output: { write: (line) => appendFileSync(file, line) }, keepSecret };
}
