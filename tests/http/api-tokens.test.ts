import { afterAll, describe, expect, test } from 'vitest';

import { createAuthentication } from '../../src/http/auth/authentication.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { createApiTokens } from '../../src/storage/api-tokens.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { ADMIN, ALICE, BOB, type Client, createClient, startTestApp } from '../support/app.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());
const [alice, admin] = [await app.signIn(ALICE), await app.signIn(ADMIN)];

async function create(by: Client, scopes: readonly string[]) {
  const body = { name: `may ${scopes.join(' and ')}`, scopes };
  const answer = await by.call('POST', '/api/auth/tokens', { body });
  if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
  const client = createClient(app.url, String(answer.body.token));
  return { id: String(answer.body.apiToken.id), client, body: answer.body };
}
const giveRole = (userId: string, role: string) =>
  admin.call('PATCH', `/api/admin/users/${userId}`, { body: { role } });

describe('an API token', () => {
  test('is shown once, listed without itself, and kept as a hash', async () => {
    const { id, body } = await create(alice, ['read', 'read']);

    const listed = await alice.call('GET', '/api/auth/tokens');
    const row = await app.database.prisma.apiToken.findUnique({ where: { id } });

    expect(body.token).toMatch(/^zpk_[\w-]{43}$/);
    expect(listed.body.tokens).toContainEqual({
      ...{ id, name: 'may read and read', scopes: ['read'], lastUsedAt: null },
      ...{ createdAt: expect.any(String), expiresAt: expect.any(String) },
    });
    expect(JSON.stringify([listed.body, row])).not.toContain(body.token);
  });

  test('is one of fifty at most, of those that count', async () => {
    const bob = await app.signIn(BOB);
    const at = Date.now();
    const row = (nth: number, expiresAt: Date) => ({
      ...{ id: `b${nth}`, userId: BOB, name: 'x', hash: `b${nth}`, scopes: [], expiresAt },
    });
    const data = Array.from({ length: 49 }, (_, nth) => row(nth, new Date(at + 60_000)));
    await app.database.prisma.apiToken.createMany({ data: [...data, row(49, new Date(at))] });

    const last = await create(bob, ['read']);
    const beyond = await bob.call('POST', '/api/auth/tokens', {
      body: { name: 'y', scopes: ['read'] },
    });

    expect(beyond).toMatchObject({ status: 409, body: { error: 'conflict' } });
    await bob.call('DELETE', `/api/auth/tokens/${last.id}`);
    await create(bob, ['read']);
    await app.database.prisma.apiToken.deleteMany({ where: { userId: BOB } });
  });

  test('says when it was used', async () => {
    const { id, client } = await create(alice, ['read']);

    expect((await client.call('GET', '/api/servers')).status).toBe(200);

    const { body } = await alice.call('GET', '/api/auth/tokens');
    const tokens = body.tokens as readonly { id: string; lastUsedAt: string | null }[];
    expect(tokens.find((one) => one.id === id)?.lastUsedAt).not.toBeNull();
  });

  test.each([
    ['read', 'GET', '/api/servers', 200],
    ['write', 'GET', '/api/servers', 'read'],
    ['read', 'POST', '/api/servers/5999/host/start', 'write'],
    ['write', 'POST', '/api/servers/5999/host/start', 404],
    ['read', 'GET', '/api/admin/users', 'admin'],
    ['read', 'GET', '/api/auth/me', 'session'],
    ['write', 'PATCH', '/api/auth/me', 'session'],
    ['write', 'POST', '/api/auth/change-password', 'session'],
    ['write', 'POST', '/api/auth/logout', 'session'],
    ['read', 'GET', '/api/users/profile', 'session'],
    ['read', 'GET', '/api/auth/tokens', 'session'],
    ['write', 'POST', '/api/auth/tokens', 'session'],
    ['write', 'DELETE', '/api/auth/sessions/x', 'session'],
  ])('for %s meets %s %s with %s', async (scope, method, path, expected) => {
    const { client } = await create(alice, [scope]);

    const answer = await client.call(method, path);

    if (typeof expected === 'number') expect(answer.status).toBe(expected);
    else
      expect(answer).toMatchObject({
        ...{ status: 403, body: { error: 'scope_missing', scope: expected } },
      });
  });

  test('of an administrator has that role only with the scope for it', async () => {
    const { client: some } = await create(admin, ['read', 'write']);
    const { client: all } = await create(admin, ['read', 'admin']);

    expect((await some.call('GET', '/api/admin/users')).body).toMatchObject({ scope: 'admin' });
    expect((await all.call('GET', '/api/admin/users')).status).toBe(200);
    // What it gave would outlive it.
    expect((await all.call('PATCH', '/api/admin/users/x')).body).toMatchObject({
      scope: 'session',
    });
    await expect(create(alice, ['admin'])).rejects.toThrow('forbidden');
  });

  test('ends when it is revoked, by its owner alone', async () => {
    const { id, client } = await create(alice, ['read']);
    const bob = await app.signIn(BOB);
    const path = `/api/auth/tokens/${id}`;
    await client.call('GET', '/api/servers');

    expect((await bob.call('DELETE', path)).status).toBe(404);
    expect((await client.call('GET', '/api/servers')).status).toBe(200);
    expect((await alice.call('DELETE', path)).status).toBe(200);
    expect((await client.call('GET', '/api/servers')).status).toBe(401);
    expect((await alice.call('DELETE', path)).status).toBe(404);
  });

  test('is made by nobody whose sign-in has just ended', async () => {
    const apiTokens = createApiTokens(app.database);
    const audit = {
      ...{ actorId: ALICE, subjectId: ALICE, action: 'api_token.created' },
      ...{ outcome: 'done' as const, ip: null, detail: {} },
    };
    const at = new Date();

    const made = await apiTokens.create(
      {
        ...{ id: 't-1', userId: ALICE, name: 'late', hash: 'h', scopes: ['read'], at },
        expiresAt: new Date(at.getTime() + 60_000),
      },
      { sessionId: 'ended', audit },
    );

    expect(made).toBeNull();
  });
});

describe('administrators', () => {
  test('see all accounts, page by page, and find them', async () => {
    const first = await admin.call('GET', '/api/admin/users?limit=2');
    const second = await admin.call(
      'GET',
      `/api/admin/users?limit=2&cursor=${first.body.nextCursor}`,
    );
    const found = await admin.call('GET', '/api/admin/users?search=LICE%40');
    const none = await admin.call('GET', '/api/admin/users?search=%25');

    const ids = [...first.body.users, ...second.body.users].map(({ id }) => id);
    expect(ids.sort()).toEqual([ADMIN, ALICE, BOB]);
    expect(second.body.nextCursor).toBeNull();
    expect(found.body.users).toMatchObject([{ id: ALICE, role: 'user' }]);
    expect(none.body.users).toEqual([]);
    expect(JSON.stringify(first.body)).not.toContain('argon2');
  });

  test('are those whose role says so now, whatever their tokens said', async () => {
    const bob = await app.signIn(BOB);
    const before = await bob.call('GET', '/api/admin/audit');

    await giveRole(BOB, 'admin');
    const promoted = await bob.call('GET', '/api/admin/audit?limit=1');
    const token = await create(bob, ['read', 'admin']);
    await giveRole(BOB, 'user');

    expect(before).toMatchObject({ status: 403, body: { error: 'forbidden' } });
    expect(promoted.body.entries).toMatchObject([
      {
        ...{ action: 'role.changed', actorId: ADMIN, subjectId: BOB },
        detail: { from: 'user', to: 'admin' },
      },
    ]);
    expect((await bob.call('GET', '/api/admin/audit')).status).toBe(403);
    expect((await token.client.call('GET', '/api/admin/audit')).status).toBe(403);
  });

  test('cannot all be gone, nor made of nobody', async () => {
    expect(await giveRole(ADMIN, 'user')).toMatchObject({ status: 409 });
    expect(await giveRole('u-nobody', 'admin')).toMatchObject({ status: 404 });
  });
});

describe('on another node', () => {
  const clock = { offsetMs: 0 };
  const now = () => Date.now() + clock.offsetMs;
  const other = createAuthentication({
    tokens: createTokens({
      ...{ secret: app.environment['JWT_SECRET'] ?? '', oldSecrets: [], issuer: 'zpack', now },
      ...{ accessTtlS: 900, refreshTtlS: 9_000, ideTtlS: 300, ideCookieTtlS: 300 },
    }),
    sessions: createSessions(app.database),
    apiTokens: createApiTokens(app.database),
    now,
  });
  const ask = ({ token }: Client) => other.authenticate(`Bearer ${token}`);

  test('what is revoked or changed here counts after five seconds at most', async () => {
    const [bob, leaving] = [await app.signIn(BOB), await app.signIn(ALICE)];
    const { id, client } = await create(alice, ['read']);
    await Promise.all([bob, leaving, client].map(ask));

    await giveRole(BOB, 'admin');
    await leaving.call('POST', '/api/auth/logout');
    await alice.call('DELETE', `/api/auth/tokens/${id}`);
    const atOnce = await ask(bob);
    clock.offsetMs = 5_000;

    expect(atOnce.role).toBe('user');
    expect(await ask(bob)).toMatchObject({ userId: BOB, role: 'admin', scopes: null });
    for (const one of [leaving, client]) {
      await expect(ask(one)).rejects.toMatchObject({ code: 'unauthenticated' });
    }
    await giveRole(BOB, 'user');
  });

  test('a token ends in its time, and a sign-in that is not used too', async () => {
    const bob = await app.signIn(BOB);
    const { client } = await create(alice, ['read']);
    const { rows } = await app.database.pool.query(
      `SELECT round(extract(epoch FROM expires_at - last_used_at)) AS "lifeS" FROM session LIMIT 1`,
    );

    clock.offsetMs = 89 * 86_400_000;
    expect(await ask(client)).toMatchObject({ userId: ALICE, scopes: ['read'] });
    clock.offsetMs = 91 * 86_400_000;

    await expect(ask(client)).rejects.toMatchObject({ code: 'unauthenticated' });
    await expect(ask(bob)).rejects.toMatchObject({ code: 'unauthenticated' });
    expect(Number(rows[0]?.lifeS)).toBe(2_592_000);
  });
});
