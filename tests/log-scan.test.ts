import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { createLogger } from '../src/telemetry/logger.ts';
import { findSecrets, scanLogs } from './support/log-scan.ts';

const JWT = `eyJ${'a'.repeat(20)}.eyJ${'b'.repeat(20)}.${'c'.repeat(20)}`;

test.each([
  ['a JSON Web Token', `{"msg":"request","token":"${JWT}"}`],
  ['an API token', `{"msg":"zpk_${'x'.repeat(43)}"}`],
  ['an Authorization header', '{"headers":{"authorization":"Bearer abcdefgh.1"}}'],
  ['a hash of a password', '{"user":{"hash":"$argon2id$v=19$m=19456"}}'],
  ['a secret of the test', '{"body":{"password":"correct horse"}}'],
])('the search of the logs finds %s', (what, line) => {
  expect(findSecrets(line, ['correct horse', 'id'])).toEqual([what]);
});

test('it finds nothing in what is logged of a request', () => {
  const line = '{"requestId":"a-1","method":"POST","path":"/api/auth/login","status":401,"ms":31}';

  expect(findSecrets(line, ['correct horse'])).toEqual([]);
});

test('it reads every log of the suite, and what each test has said is secret', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-logs-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'one.log'), '{"msg":"fine"}\n{"msg":"a word of the second"}\n');
  await writeFile(join(folder, 'two.log'), `{"msg":"${JWT}"}\n`);
  await writeFile(join(folder, 'two.secrets'), 'a word of the second\n');

  const { lines, findings } = await scanLogs(folder, []);

  expect(lines).toBe(3);
  expect(findings.map((one) => one.split(': ', 2))).toEqual([
    ['one.log', 'a secret of the test'],
    ['two.log', 'a JSON Web Token'],
  ]);
});

test('the logger itself leaves out what is called by the name of a secret', () => {
  const lines: string[] = [];
  const logger = createLogger('info', { write: (line) => void lines.push(line) });

  logger.info({ body: { password: 'p1', newPassword: 'p2', refreshToken: 'p3' }, token: 'p4' });
  logger.child({ request: { headers: { authorization: 'p5' } } }).info('x');

  expect(lines.join('')).not.toMatch(/p\d/);
});
