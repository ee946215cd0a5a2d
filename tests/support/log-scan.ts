import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What looks like something that must never be in a log. */
const PATTERNS: Readonly<Record<string, RegExp>> = {
  'a JSON Web Token': /\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/,
  'an API token': /\bzpk_[\w-]{10,}/,
  'an Authorization header': /\bBearer +[\w.~+/=-]{8,}/i,
  'a hash of a password': /\$argon2/,
};

/** Shorter ones would be found in words. */
const SECRET_LENGTH_MIN = 8;

/** The patterns and secrets that a line of a log holds. */
export function findSecrets(line: string, secrets: readonly string[]): readonly string[] {
  const patterns = Object.entries(PATTERNS).filter(([, pattern]) => pattern.test(line));
  const known = secrets.some((one) => one.length >= SECRET_LENGTH_MIN && line.includes(one));
  return [...patterns.map(([what]) => what), ...(known ? ['a secret of the test'] : [])];
}

export interface LogScan {
  readonly lines: number;
  readonly findings: readonly string[];
}

/** Searches all `*.log` of a folder for what `*.secrets` beside them name, and for the patterns. */
export async function scanLogs(folder: string, secrets: readonly string[]): Promise<LogScan> {
  const names = await readdir(folder);
  const lists = names.filter((name) => name.endsWith('.secrets'));
  const texts = await Promise.all(lists.map((name) => readFile(join(folder, name), 'utf8')));
  const all = [...new Set([...secrets, ...texts.flatMap((text) => text.split('\n'))])];
  const findings: string[] = [];
  let lines = 0;
  for (const name of names.filter((one) => one.endsWith('.log'))) {
    for await (const line of createInterface(createReadStream(join(folder, name)))) {
      lines += 1;
      for (const what of findSecrets(line, all)) findings.push(`${name}: ${what}: ${line}`);
    }
  }
  return { lines, findings };
}
