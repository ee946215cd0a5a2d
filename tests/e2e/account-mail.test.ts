import { afterAll, describe, expect, test } from 'vitest';

import { startMailSink } from '../../lab/mail/sink.ts';
import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { createApiTokens } from '../../src/storage/api-tokens.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { temporaryFolder } from '../lab/proxmox-world.ts';
import { PASSWORD } from '../support/accounts.ts';
import { type Client, createClient, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const [NEW, NEWER] = ['another horse, as correct', 'yet another horse, as correct'];

await using opened = new AsyncDisposableStack();
const folder = opened.use(await temporaryFolder());
const sink = opened.use(await startMailSink({ dataDir: folder.path }));
const app = opened.use(
  await startTestApp({
    environment: {
      ...{ SMTP_HOST: sink.host, SMTP_PORT: String(sink.port), SMTP_CA_FILE: sink.caFile },
      ...{ SMTP_USER: sink.user, SMTP_PASS: sink.password, PORTAL_URL: 'https://portal.test' },
    },
  }),
);
const node = opened.use(await app.startNode({ ROLE: 'api' }));
const closing = opened.move();
afterAll(() => closing.disposeAsync());
for (const secret of [NEW, NEWER]) app.keepSecret(secret);

const post = (path: string, body: unknown, url = app.url) =>
  createClient(url, '').call('POST', `/api/auth/${path}`, { body });
const login = (username: string, password: string) =>
  post('login', { identifier: username, password });
const as = (token: string, url = app.url) => createClient(url, token);
const statusOf = async (client: Client) => (await client.call('GET', '/api/servers')).status;
const mailsTo = (address: string) => sink.mails().filter(({ to }) => to.includes(address));
const mailTo = (address: string, subject: string) =>
  until(() => mailsTo(address).find((mail) => mail.subject === subject), {
    what: `"${subject}" to reach ${address}`,
  });

let nth = 0;
async function signUp() {
  nth += 1;
  const who = { email: `mail${nth}@zpack.test`, username: `mail${nth}`, password: PASSWORD };
  const { body } = await post('register', who);
  return { ...who, accessToken: String(body.accessToken), refreshToken: body.refreshToken };
}

/** Asks for a link and reads it from the mail, as its owner does. */
async function linkFor(email: string): Promise<string> {
  const answer = await post('password-reset/request', { email });
  expect(answer).toMatchObject({ status: 202, body: { ok: true } });
  const { text } = await mailTo(email, 'Set a new password');
  const [link = ''] = /https:\/\/portal\.test\/reset-password\?token=\S+/.exec(text ?? '') ?? [];
  const token = new URL(link).searchParams.get('token') ?? '';
  app.keepSecret(token);
  return token;
}

/** Another node, where the time may be a later one. */
const clock = { offsetMs: 0 };
const now = () => Date.now() + clock.offsetMs;
const other = createAuthentication({
  tokens: createTokens({
    ...{ secret: app.environment['JWT_SECRET'] ?? '', oldSecrets: [], issuer: 'zpack', now },
    ...{ accessTtlS: 900, refreshTtlS: 9_000, ideTtlS: 300, ideCookieTtlS: 300 },
  }),
  ...{ sessions: createSessions(app.database), apiTokens: createApiTokens(app.database), now },
});

describe('an account', () => {
  test('that is signed in goes on by its refresh tokens, until one of them is used twice', async () => {
    const who = await signUp();
    const { body: first } = await login(who.username, PASSWORD);
    const { body: second } = await post('refresh', { refreshToken: first.refreshToken });
    expect(await statusOf(as(second.accessToken))).toBe(200);

    const replayed = await post('refresh', { refreshToken: first.refreshToken }, node.url ?? '');
    const next = await post('refresh', { refreshToken: second.refreshToken });

    expect([replayed.status, next.status]).toEqual([401, 401]);
    await until(async () => (await statusOf(as(second.accessToken))) === 401, {
      ...{ what: 'the family to be dead everywhere', timeoutMs: 6_000 },
    });
    expect(await statusOf(as(who.accessToken))).toBe(200);
  });

  test('whose password is reset by a link opens by nothing that opened it before', async () => {
    const who = await signUp();
    const { body: script } = await as(who.accessToken).call('POST', '/api/auth/tokens', {
      body: { name: 'script', scopes: ['read'] },
    });
    const old = [who.accessToken, String(script.token)];
    const byHeart = () =>
      Promise.all(old.map((token) => other.authenticate(`Bearer ${token}`).catch(() => null)));
    expect(await byHeart()).not.toContain(null);
    const token = await linkFor(who.email);

    const confirmed = await post('password-reset/confirm', { token, newPassword: NEW });
    const again = await post('password-reset/confirm', { token, newPassword: NEWER });

    expect(confirmed).toMatchObject({ status: 200, body: { ok: true } });
    expect(again).toMatchObject({ status: 400, body: { error: 'reset_token_invalid' } });
    for (const url of [app.url, node.url ?? '']) {
      const statuses = await Promise.all(old.map((one) => statusOf(as(one, url))));
      expect(statuses).toEqual([401, 401]);
      const refreshed = await post('refresh', { refreshToken: who.refreshToken }, url);
      expect(refreshed.status).toBe(401);
    }
    // A node that knows them by heart believes them for five seconds, and no longer.
    clock.offsetMs = 5_000;
    expect(await byHeart()).toEqual([null, null]);
    expect((await login(who.username, PASSWORD)).status).toBe(401);
    expect((await login(who.username, NEW)).status).toBe(200);
    await mailTo(who.email, 'Your password was changed');
    expect(mailsTo(who.email)).toHaveLength(2);
  });

  test('whose password is changed by its owner hears of it, and keeps this one sign-in', async () => {
    const who = await signUp();
    const wrong = { currentPassword: 'not this one', newPassword: NEW };
    const right = { currentPassword: PASSWORD, newPassword: NEW };
    const change = (body: object) =>
      as(who.accessToken).call('POST', '/api/auth/change-password', { body });

    expect((await change(wrong)).status).toBe(403);
    expect((await change(right)).status).toBe(200);

    const { text } = await mailTo(who.email, 'Your password was changed');
    expect(text).toContain('signed out everywhere else');
    expect(text).not.toContain(NEW);
    expect(await statusOf(as(who.accessToken))).toBe(200);
    expect(mailsTo(who.email)).toHaveLength(1);
  });
});

test('nobody is told whether there is an account, and nobody who has none gets a mail', async () => {
  const who = await signUp();
  const email = 'unknown@zpack.test';

  const unknown = await post('forgot-password', { email });
  const known = await post('forgot-password', { email: who.email });

  expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
  await mailTo(who.email, 'Set a new password');
  const state = await until(
    async () => {
      const mail = await app.database.prisma.mail.findFirst({ where: { recipient: email } });
      return mail?.finishedAt && mail.state;
    },
    { what: 'the mail to nobody to be looked at' },
  );
  expect(state).toBe('void');
  expect(mailsTo(email)).toEqual([]);
});
