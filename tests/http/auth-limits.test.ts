import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, describe, expect, test } from 'vitest';

import { startRedis } from '../../lab/services/redis.ts';
import { callerOf } from '../../src/http/auth/limits.ts';
import { PASSWORD } from '../support/accounts.ts';
import { ALICE, type Answer, BOB, createClient, startTestApp } from '../support/app.ts';

const LIMITS = {
  ...{ SIGN_IN_ATTEMPTS_MAX: '2', ACCOUNT_MAILS_MAX: '2', REGISTRATIONS_MAX: '2' },
  TRUSTED_PROXIES: 'loopback',
};

const app = await startTestApp({ environment: LIMITS });
afterAll(() => app[Symbol.asyncDispose]());

let lastAddress = 0;
/** Somebody who has not been here yet. */
const stranger = () => {
  lastAddress += 1;
  return `203.0.113.${lastAddress}`;
};
const post = (path: string, body: unknown, from: string = stranger(), url = app.url) =>
  createClient(url, '').call('POST', `/api/auth/${path}`, {
    body,
    headers: { 'x-forwarded-for': from },
  });
const login = (identifier: string, password: string, from?: string, url?: string) =>
  post('login', { identifier, password }, from, url);
const statuses = (answers: readonly Answer[]) => answers.map(({ status }) => status);

async function times(count: number, act: () => Promise<Answer>): Promise<readonly Answer[]> {
  const answers: Answer[] = [];
  for (let nth = 0; nth < count; nth += 1) answers.push(await act());
  return answers;
}

describe('guesses', () => {
  test('at one account are few, from wherever they come', async () => {
    const first = await login('alice', 'a wrong one');
    const second = await login('Alice', 'a wrong one');
    const third = await login('ALICE', PASSWORD);

    expect(statuses([first, second, third])).toEqual([401, 401, 429]);
    // A count that both names shared would say that they are of one account.
    expect((await login('alice@zpack.test', 'a wrong one')).status).toBe(401);
    expect(third.body).toMatchObject({ error: 'limit_exceeded' });
    const retryAfterS = Number(third.headers.get('retry-after'));
    expect(retryAfterS).toBe(third.body.retryAfterS);
    expect(retryAfterS).toBeGreaterThan(880);
    expect(retryAfterS).toBeLessThanOrEqual(900);
  });

  test('at nobody are as few', async () => {
    const answers = await times(3, () => login('nobody', 'a wrong one'));

    expect(statuses(answers)).toEqual([401, 401, 429]);
  });

  test('at the same moment are no more than one after the other', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => login('somebody', 'a wrong one')),
    );

    expect(statuses(answers).sort()).toEqual([401, 401, ...Array<number>(6).fill(429)]);
  });

  test('are forgiven by a right one', async () => {
    const answers = await times(3, async () => {
      await login('bob', 'a wrong one');
      return login('bob', PASSWORD);
    });

    expect(statuses(answers)).toEqual([200, 200, 200]);
  });

  test('of one caller are few, whoever they are about; what was right does not count', async () => {
    const from = stranger();
    let nth = 0;
    const right = await times(2, () => login('bob', PASSWORD, from));
    const wrong = await times(21, () => {
      nth += 1;
      return login(`unknown${nth}`, 'a wrong one', from);
    });

    expect(statuses(right)).toEqual([200, 200]);
    expect(statuses(wrong)).toEqual([...Array<number>(20).fill(401), 429]);
    expect((await login('bob', PASSWORD, from)).status).toBe(429);
    expect((await login('bob', PASSWORD)).status).toBe(200);
  });

  test('at the current password count with those at signing in', async () => {
    const bob = await login('bob', PASSWORD);
    const client = createClient(app.url, bob.body.token);
    const change = (currentPassword: string) =>
      client.call('POST', '/api/auth/change-password', {
        body: { currentPassword, newPassword: 'another horse' },
        headers: { 'x-forwarded-for': stranger() },
      });

    const answers = [...(await times(2, () => change('a wrong one'))), await change(PASSWORD)];

    expect(statuses(answers)).toEqual([403, 403, 429]);
    expect((await login('bob', PASSWORD)).status).toBe(429);
  });
});

test('links are sent to one address now and then, from wherever they are asked for', async () => {
  const answers = await times(3, () => post('forgot-password', { email: 'x@zpack.test' }));
  const other = await post('forgot-password', { email: 'y@zpack.test' });

  expect(statuses([...answers, other])).toEqual([202, 202, 429, 202]);
  expect(Number(answers[2]?.headers.get('retry-after'))).toBeGreaterThan(3_580);
});

test('accounts are opened from one address now and then', async () => {
  const from = stranger();
  let nth = 0;
  const register = (address?: string) => {
    nth += 1;
    const body = { email: `n${nth}@zpack.test`, username: `new${nth}`, password: PASSWORD };
    return post('register', body, address);
  };

  expect(statuses(await times(3, () => register(from)))).toEqual([201, 201, 429]);
  expect((await register()).status).toBe(201);
});

test('a limit that is reached is written down once, with whom it was about', async () => {
  const entries = await app.database.prisma.auditEntry.findMany({
    where: { action: 'limit.reached' },
  });

  const about = entries.map(({ detail, subjectId }) => {
    const { limit } = detail as { limit: string };
    return `${limit} ${subjectId}`;
  });
  expect(about.sort()).toEqual([
    ...['registration-caller null', 'reset-account null', 'sign-in-account null'],
    ...['sign-in-account null', `sign-in-account ${ALICE}`, `sign-in-account ${BOB}`],
    'sign-in-caller null',
  ]);
  expect(entries.every(({ ip }) => ip?.startsWith('203.0.113.'))).toBe(true);
});

test('while Redis is away each node counts for itself, and nobody is locked out', async () => {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-redis-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const redis = await startRedis({ dataDir, cacheDir: '.cache' });
  const node = stack.use(await app.startNode({ REDIS_URL: redis.url, ROLE: 'api' }));
  const url = node.url ?? '';
  const register = await post(
    'register',
    { email: 'away@zpack.test', username: 'away', password: PASSWORD },
    ...[stranger(), url],
  );

  await redis[Symbol.asyncDispose]();

  expect(register.status).toBe(201);
  expect((await login('away', PASSWORD, stranger(), url)).status).toBe(200);
  const wrong = await times(3, () => login('away', 'a wrong one', stranger(), url));
  expect(statuses(wrong)).toEqual([401, 401, 429]);
});

test('who sends a header of a proxy without being one is not believed', async () => {
  await using node = await app.startNode({ TRUSTED_PROXIES: '', ROLE: 'api' });
  const url = node.url ?? '';

  await login('who', 'a wrong one', '198.51.100.7', url);

  const [entry] = await app.database.prisma.auditEntry.findMany({
    orderBy: { at: 'desc' },
    take: 1,
  });
  expect(entry?.ip).toContain('127.0.0.1');
});

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['', ''],
])('%s is counted as %s', (ip, caller) => {
  expect(callerOf(ip)).toBe(caller);
});

test('sign-ins and refreshes of one account were without a limit as long as they were right', async () => {
  await using node = await app.startNode({ REDIS_PREFIX: 'sessions', SESSIONS_OPENED_MAX: '3' });
  const url = node.url ?? '';
  const opened = await login('bob', PASSWORD, stranger(), url);
  const refresh = async () =>
    post('refresh', { refreshToken: opened.body.refreshToken }, stranger(), url);

  const next = await refresh();
  const again = await login('bob', PASSWORD, stranger(), url);
  const beyond = await login('bob', PASSWORD, stranger(), url);

  expect(statuses([opened, next, again])).toEqual([200, 200, 200]);
  expect(beyond).toMatchObject({ status: 429, body: { error: 'limit_exceeded' } });
});

test('whoever held a refresh token that had ended could use up what its former owner may', async () => {
  await using node = await app.startNode({ REDIS_PREFIX: 'ended', SESSIONS_OPENED_MAX: '2' });
  const url = node.url ?? '';
  const stolen = await login('bob', PASSWORD, stranger(), url);
  await createClient(url, stolen.body.token).call('POST', '/api/auth/logout');

  const tries = await times(5, () =>
    post('refresh', { refreshToken: stolen.body.refreshToken }, stranger(), url),
  );

  expect(new Set(statuses(tries))).toEqual(new Set([401]));
  expect((await login('bob', PASSWORD, stranger(), url)).status).toBe(200);
});

test('a refresh beyond the limit cost its owner the sign-in: the token was used, and what it gave was lost', async () => {
  await using node = await app.startNode({ REDIS_PREFIX: 'beyond', SESSIONS_OPENED_MAX: '1' });
  const url = node.url ?? '';
  const opened = await login('bob', PASSWORD, stranger(), url);
  const { refreshToken } = opened.body;

  const beyond = await post('refresh', { refreshToken }, stranger(), url);
  const later = await post('refresh', { refreshToken }, stranger());

  expect(statuses([opened, beyond, later])).toEqual([200, 429, 200]);
});
