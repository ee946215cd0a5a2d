import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, describe, expect, inject, test } from 'vitest';

import { PASSWORD } from '../support/accounts.ts';
import { ADMIN, ALICE, type Answer, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());

const post = (path: string, body: unknown) =>
  app.anonymous.call('POST', `/api/auth/${path}`, { body });
const login = (identifier: string, password: string = PASSWORD) =>
  post('login', { identifier, password });
const refresh = (refreshToken: string) => post('refresh', { refreshToken });
const as = (token: string) => createClient(app.url, token);
const isIn = async (token: string) => (await as(token).call('GET', '/api/auth/me')).status === 200;
const auditOf = async (subjectId: string) => {
  const admin = await app.signIn(ADMIN);
  const { body } = await admin.call('GET', `/api/admin/audit?subjectId=${subjectId}`);
  return body.entries as readonly Record<string, unknown>[];
};
const tokensOf = ({ body }: Answer) =>
  body as { accessToken: string; refreshToken: string; user: { id: string } };

let nth = 0;
const newcomer = () => {
  nth += 1;
  return { email: `New${nth}@zpack.test`, username: `New.${nth}`, password: PASSWORD };
};

describe('registering', () => {
  test('opens an account and signs in', async () => {
    const wanted = { ...newcomer(), firstName: ' Ada ', displayName: '' };

    const answer = await post('register', wanted);

    expect(answer).toMatchObject({
      status: 201,
      body: {
        ...{ token: answer.body.accessToken, expiresIn: 900 },
        user: {
          ...{ email: wanted.email.toLowerCase(), username: wanted.username, role: 'user' },
          ...{ firstName: 'Ada', lastName: null, displayName: null },
          ...{ billing_status: 'none', suspended_at: null },
        },
      },
    });
    expect(await isIn(answer.body.token)).toBe(true);
    expect((await login(wanted.username.toUpperCase())).status).toBe(200);
  });

  test.each([
    ['email', { email: 'ALICE@zpack.test', username: 'somebody' }],
    ['username', { email: 'somebody@zpack.test', username: 'ALICE' }],
  ])('is refused if the %s is taken, in whatever case', async (field, names) => {
    const answer = await post('register', { ...names, password: PASSWORD });

    expect(answer).toMatchObject({ status: 409, body: { error: 'account_exists', field } });
  });

  test('of one name by many at the same moment opens one account', async () => {
    const { email, ...rest } = newcomer();

    const answers = await Promise.all(
      [1, 2, 3].map((one) => post('register', { ...rest, email: `${one}${email}` })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({ field: 'username' });
  });

  test.each([
    ['too short', { password: 'seven77' }, 'body.password'],
    ['too long', { password: 'x'.repeat(1_025) }, 'body.password'],
    ["everybody's", { password: 'PassWord123' }, 'body.password'],
    ['the own name', { username: 'nobody.else', password: 'Nobody.Else' }, 'body.password'],
    ['for no address', { email: 'nowhere' }, 'body.email'],
    ['for a name with a blank', { username: 'a name' }, 'body.username'],
  ])('is refused with a password or name that is %s', async (_, wrong, field) => {
    expect(await post('register', { ...newcomer(), ...wrong })).toMatchObject({
      status: 400,
      body: { error: 'invalid_input', errors: [{ field }] },
    });
  });
});

describe('signing in', () => {
  test.each(['alice', 'ALICE', 'alice@zpack.test', 'ALICE@zpack.test'])(
    'works as %s',
    async (identifier) => {
      const { status, headers, body } = await login(identifier);

      expect(status).toBe(200);
      expect(body).toMatchObject({ token: body.accessToken, user: { username: 'alice' } });
      expect(headers.get('cache-control')).toBe('no-store');
      expect(JSON.stringify(body)).not.toContain('argon2');
    },
  );

  test('says the same of a wrong password and of nobody', async () => {
    const wrong = await login('alice', 'not this one');
    const nobody = await login('nobody', PASSWORD);

    expect(wrong).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
    expect({ ...nobody.body, instance: '' }).toEqual({ ...wrong.body, instance: '' });
  });

  test.each([
    ['identifier', { identifier: 'a\u0000', password: PASSWORD }],
    ['password', { identifier: 'alice', password: '' }],
  ])('with a strange %s is a mistake, and none of ours', async (field, body) => {
    expect(await post('login', body)).toMatchObject({
      ...{ status: 400, body: { errors: [{ field: `body.${field}` }] } },
    });
  });

  test('shows who I am, and what I am called if I change it', async () => {
    const alice = await app.signIn(ALICE);

    const changed = await alice.call('PATCH', '/api/auth/me', {
      body: { firstName: 'Alice', displayName: '' },
    });
    const profile = await alice.call('GET', '/api/users/profile');

    expect(changed.body.user).toMatchObject({ firstName: 'Alice', displayName: null });
    expect(profile.body).toMatchObject({
      ...{ id: ALICE, username: 'alice', firstName: 'Alice' },
      ...{ billing_status: 'none', plan_name: null, plan_price: 0 },
    });
  });
});

test('what is asked is logged where the suite looks for secrets, without what was sent', async () => {
  await login('alice', 'another wrong password');
  app.keepSecret('another wrong password');

  const file = join(inject('logFolder'), `${app.environment['REDIS_PREFIX']}.log`);
  const text = await until(
    async () => {
      const log = await readFile(file, 'utf8');
      return log.includes('/api/auth/login') && log;
    },
    { what: 'the request to be logged' },
  );
  expect(text).not.toContain('another wrong password');
});

describe('a refresh token', () => {
  test('is good for one use, and gives two new tokens', async () => {
    const first = tokensOf(await login('alice'));

    const second = await refresh(first.refreshToken);

    expect(second).toMatchObject({ status: 200, body: { expiresIn: 900, user: { id: ALICE } } });
    expect(second.body.refreshToken).not.toBe(first.refreshToken);
    expect(await isIn(second.body.token)).toBe(true);
    expect((await refresh(second.body.refreshToken)).status).toBe(200);
  });

  test('that is used again ends the whole sign-in, and no other one', async () => {
    const first = tokensOf(await post('register', newcomer()));
    const other = tokensOf(await login('alice'));
    const second = tokensOf(await refresh(first.refreshToken));
    const third = tokensOf(await refresh(second.refreshToken));

    const replayed = await refresh(first.refreshToken);

    expect(replayed).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
    expect((await refresh(third.refreshToken)).status).toBe(401);
    expect(await Promise.all([first, second, third].map((one) => isIn(one.accessToken)))).toEqual([
      ...[false, false, false],
    ]);
    expect(await isIn(other.accessToken)).toBe(true);
    expect(await auditOf(first.user.id)).toMatchObject([
      { action: 'session.replayed', outcome: 'refused', actorId: null },
      { action: 'account.registered', outcome: 'done', actorId: first.user.id },
    ]);
  });

  test('that many use at the same moment is good for one, and the sign-in ends', async () => {
    const { refreshToken } = tokensOf(await login('alice'));

    const answers = await Promise.all(Array.from({ length: 6 }, () => refresh(refreshToken)));

    const won = answers.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(await isIn(won[0]?.body.accessToken)).toBe(false);
    expect((await refresh(won[0]?.body.refreshToken)).status).toBe(401);
  });

  test('is no access token, nor the other way round', async () => {
    const { accessToken, refreshToken } = tokensOf(await login('alice'));

    expect(await isIn(refreshToken)).toBe(false);
    expect((await refresh(accessToken)).status).toBe(401);
    expect(await isIn(accessToken)).toBe(true);
  });
});

describe('a sign-in', () => {
  test('ends by signing out, with all of its tokens', async () => {
    const mine = tokensOf(await login('bob'));
    const other = tokensOf(await login('bob'));

    const answer = await as(mine.accessToken).call('POST', '/api/auth/logout');

    expect(answer.status).toBe(200);
    expect(await isIn(mine.accessToken)).toBe(false);
    expect((await refresh(mine.refreshToken)).status).toBe(401);
    expect(await isIn(other.accessToken)).toBe(true);
  });

  test('is listed, and can be ended from another one, but not by somebody else', async () => {
    const who = newcomer();
    const mine = as(tokensOf(await post('register', who)).accessToken);
    const lost = tokensOf(await login(who.username));
    const alice = await app.signIn(ALICE);

    const { body } = await mine.call('GET', '/api/auth/sessions');
    const listed = body.sessions as readonly { id: string; isCurrent: boolean }[];
    const id = listed.find(({ isCurrent }) => !isCurrent)?.id;
    const path = `/api/auth/sessions/${id}`;

    expect(listed.map(({ isCurrent }) => isCurrent).sort()).toEqual([false, true]);
    expect((await alice.call('DELETE', path)).status).toBe(404);
    expect((await mine.call('DELETE', path)).status).toBe(200);
    expect((await mine.call('DELETE', path)).status).toBe(404);
    expect(await isIn(lost.accessToken)).toBe(false);
    expect((await refresh(lost.refreshToken)).status).toBe(401);
  });

  test('is written down, as is one that was refused, without what was typed', async () => {
    const who = newcomer();
    const { user } = tokensOf(await post('register', who));
    await login(who.username, 'a wrong password');
    const { accessToken } = tokensOf(await login(who.email));
    await as(accessToken).call('POST', '/api/auth/logout');

    const entries = await auditOf(user.id);

    expect(entries.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      ...['session.closed done', 'session.opened done'],
      ...['session.opened refused', 'account.registered done'],
    ]);
    expect(entries[0]).toMatchObject({ ip: expect.stringContaining('127.0.0.1') });
    expect(JSON.stringify(entries)).not.toContain('wrong password');
  });
});
