import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { PROBLEMS } from '../../src/http/problem.ts';
import { GAME_REASONS, PROBLEM_OF } from '../../src/http/refusal.ts';

const SOURCE = new URL('../../src/http/', import.meta.url).pathname;
const problems = await readFile(new URL('../../docs/problems.md', import.meta.url), 'utf8');

/** What is written under the heading of a code. */
const sectionOf = (code: string) =>
  problems.split(/^## /m).find((one) => one.startsWith(`${code}\n`));

test('every reason of a refusal is listed, with what to do about it, and no other', () => {
  const section = sectionOf('refused') ?? '';
  const rows = [...section.matchAll(/^\| `(\w+)` \| (.+) \| (.+) \|$/gm)];

  const listed = rows.map(([, reason]) => reason);
  const reasons = Object.entries(PROBLEM_OF)
    .filter(([, code]) => code === 'refused')
    .map(([reason]) => reason);

  expect(listed.toSorted()).toEqual([...new Set([...reasons, ...GAME_REASONS])].toSorted());
});

test('nothing else refuses with a reason of its own', async () => {
  const files = await readdir(SOURCE, { recursive: true });

  const refusing = [];
  for (const file of files.filter((one) => one.endsWith('.ts'))) {
    if (/code: 'refused'/.test(await readFile(join(SOURCE, file), 'utf8'))) refusing.push(file);
  }

  expect(refusing).toEqual(['refusal.ts']);
});

test('every code stands in the table of its status', () => {
  for (const [code, { status }] of Object.entries(PROBLEMS)) {
    const row = problems.split('\n').find((line) => line.startsWith(`| ${status} |`));
    expect(row, code).toContain(`[${code}](#${code})`);
  }
});
