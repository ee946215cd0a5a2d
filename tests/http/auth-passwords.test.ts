import { afterAll, describe, expect, test } from 'vitest';

import { createPasswordResets } from '../../src/storage/password-resets.ts';
import { PASSWORD } from '../support/accounts.ts';
import { createClient, startTestApp } from '../support/app.ts';

const NEW = 'another horse, as correct';

/** No worker takes a mail, so what is queued stays as it is. */
const app = await startTestApp({ environment: { ACCOUNT_MAILS_MAX: '50', ROLE: 'api' } });
afterAll(() => app[Symbol.asyncDispose]());
app.keepSecret(NEW);

const post = (path: string, body: unknown) =>
  app.anonymous.call('POST', `/api/auth/${path}`, { body });
const login = (identifier: string, password: string) => post('login', { identifier, password });
const isIn = async (token: string) =>
  (await createClient(app.url, token).call('GET', '/api/auth/me')).status === 200;

let nth = 0;
async function signUp() {
  nth += 1;
  const who = { email: `pass${nth}@zpack.test`, username: `pass${nth}`, password: PASSWORD };
  const { body } = await post('register', who);
  const client = createClient(app.url, body.accessToken);
  return { ...who, id: String(body.user.id), refreshToken: body.refreshToken as string, client };
}

const clock = { offsetMs: 0 };
const resets = createPasswordResets({
  ...{ prisma: app.database.prisma, ttlS: 3_600, now: () => Date.now() + clock.offsetMs },
  randomToken: () => crypto.randomUUID(),
});
async function issue(email: string): Promise<string> {
  const issued = await resets.issueReset(email);
  if (!issued) throw new Error(`nobody is called ${email}`);
  app.keepSecret(issued.token);
  return issued.token;
}

describe('changing the password', () => {
  const change = (client: { call: typeof app.anonymous.call }, currentPassword: string, to = NEW) =>
    client.call('POST', '/api/auth/change-password', {
      body: { currentPassword, newPassword: to },
    });

  test('ends all other sign-ins, API tokens and outstanding links', async () => {
    const me = await signUp();
    const other = (await login(me.username, PASSWORD)).body;
    const made = await me.client.call('POST', '/api/auth/tokens', {
      body: { name: 'script', scopes: ['read'] },
    });
    const link = await issue(me.email);

    const answer = await change(me.client, PASSWORD);

    expect(answer.status).toBe(200);
    expect(await isIn(me.client.token)).toBe(true);
    expect(await isIn(other.accessToken)).toBe(false);
    expect((await post('refresh', { refreshToken: other.refreshToken })).status).toBe(401);
    expect((await post('refresh', { refreshToken: me.refreshToken })).status).toBe(200);
    expect((await login(me.username, PASSWORD)).status).toBe(401);
    expect((await login(me.username, NEW)).status).toBe(200);
    expect((await post('reset-password', { token: link, password: PASSWORD })).status).toBe(400);
    const script = createClient(app.url, made.body.token);
    expect((await script.call('GET', '/api/servers')).status).toBe(401);
  });

  test("wants the current one, and a new one that is not everybody's", async () => {
    const me = await signUp();

    expect(await change(me.client, 'not this one')).toMatchObject({
      ...{ status: 403, body: { error: 'wrong_password' } },
    });
    expect(await change(me.client, PASSWORD, 'password123')).toMatchObject({ status: 400 });
    expect(await change(me.client, PASSWORD, PASSWORD)).toMatchObject({
      ...{ status: 400, body: { errors: [{ field: 'body.newPassword' }] } },
    });
    expect(await change(app.anonymous, PASSWORD)).toMatchObject({ status: 401 });
  });
});

describe('asking for a link', () => {
  test.each(['password-reset/request', 'forgot-password'])(
    'by %s is answered alike for everybody, and is a mail without a secret',
    async (path) => {
      const me = await signUp();

      const known = await post(path, { email: me.email.toUpperCase() });
      const unknown = await post(path, { email: `nobody-${me.email}` });

      expect(known).toMatchObject({ status: 202, body: { ok: true } });
      expect(unknown.body).toEqual(known.body);
      const { rows } = await app.database.pool.query(
        'SELECT kind, recipient, params FROM mail WHERE recipient LIKE $1 ORDER BY recipient',
        [`%${me.email}`],
      );
      expect(rows).toEqual(
        [`nobody-${me.email}`, me.email].map((recipient) => ({
          ...{ kind: 'password_reset', recipient, params: {} },
        })),
      );
    },
  );

  test('makes none for nobody', async () => {
    expect(await resets.issueReset('nobody@zpack.test')).toBeNull();
  });
});

describe('a link', () => {
  test.each([
    ['password-reset/confirm', 'password'],
    ['reset-password', 'newPassword'],
  ])('sets the password by %s, and ends all there was', async (path, field) => {
    const me = await signUp();
    const made = await me.client.call('POST', '/api/auth/tokens', {
      body: { name: 'script', scopes: ['read'] },
    });
    const [other, token] = [await issue(me.email), await issue(me.email.toUpperCase())];

    const answer = await post(path, { token, [field]: NEW });

    expect(answer).toMatchObject({ status: 200, body: { ok: true } });
    expect(await isIn(me.client.token)).toBe(false);
    expect((await post('refresh', { refreshToken: me.refreshToken })).status).toBe(401);
    const script = createClient(app.url, made.body.token);
    expect((await script.call('GET', '/api/servers')).status).toBe(401);
    expect((await login(me.username, PASSWORD)).status).toBe(401);
    expect((await login(me.username, NEW)).status).toBe(200);
    for (const used of [token, other]) {
      expect(await post(path, { token: used, [field]: PASSWORD })).toMatchObject({
        ...{ status: 400, body: { error: 'reset_token_invalid' } },
      });
    }
  });

  test('is good until its end, and kept as a hash alone', async () => {
    const me = await signUp();
    const token = await issue(me.email);
    const [row] = await app.database.prisma.passwordReset.findMany({ where: { userId: me.id } });

    clock.offsetMs = 3_600_000;
    const late = await resets.find(token);
    clock.offsetMs = 3_590_000;

    expect(late).toBeNull();
    expect(await resets.find(token)).toMatchObject({ id: me.id });
    expect(JSON.stringify(row)).not.toContain(token);
    clock.offsetMs = 0;
  });

  test('of many that are used at the same moment one is', async () => {
    const me = await signUp();
    const links = await Promise.all(Array.from({ length: 4 }, () => issue(me.email)));

    const answers = await Promise.all(
      links.map((token) => post('reset-password', { token, password: NEW })),
    );

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400, 400, 400]);
  });

  test('that is none, or has no password with it, is refused', async () => {
    expect(await post('reset-password', { token: 'x', password: NEW })).toMatchObject({
      ...{ status: 400, body: { error: 'reset_token_invalid' } },
    });
    expect(await post('reset-password', { token: 'x' })).toMatchObject({
      ...{ status: 400, body: { errors: [{ field: 'body.password' }] } },
    });
  });

  test('and whoever asked for it are written down, without the token', async () => {
    const me = await signUp();
    await post('forgot-password', { email: me.email });
    const token = await issue(me.email);
    await post('reset-password', { token, password: NEW });

    const entries = await app.database.prisma.auditEntry.findMany({ orderBy: { at: 'asc' } });

    expect(entries).toContainEqual(
      expect.objectContaining({
        ...{ action: 'password_reset.requested', subjectId: null },
        detail: { recipient: me.email },
      }),
    );
    expect(entries.at(-1)).toMatchObject({
      ...{ action: 'password.reset', subjectId: me.id, actorId: null, outcome: 'done' },
    });
    expect(JSON.stringify(entries)).not.toContain(token);
  });
});

test('a password that is reset while it is checked opens nothing', async () => {
  const me = await signUp();
  const token = await issue(me.email);

  const [, ...logins] = await Promise.all([
    post('reset-password', { token, password: NEW }),
    ...Array.from({ length: 4 }, () => login(me.username, PASSWORD)),
  ]);

  const opened = logins.filter(({ status }) => status === 200);
  expect(await Promise.all(opened.map(({ body }) => isIn(body.token)))).not.toContain(true);
});
