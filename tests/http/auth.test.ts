import { SignJWT } from 'jose';
import { afterAll, describe, expect, test } from 'vitest';

import { ALICE, createClient, PASSWORD, startTestApp } from '../support/app.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());

const login = (identifier: string, password: string) =>
  app.anonymous.call('POST', '/api/auth/login', { body: { identifier, password } });

describe('signing in', () => {
  test.each(['alice', 'alice@zpack.test', 'ALICE@zpack.test'])(
    'works as %s',
    async (identifier) => {
      const { status, body } = await login(identifier, PASSWORD);

      expect(status).toBe(200);
      expect(body).toMatchObject({ token: body.accessToken, user: { username: 'alice' } });
      expect(JSON.stringify(body)).not.toContain('argon2');
    },
  );

  test('says the same of a wrong password and of nobody', async () => {
    const wrong = await login('alice', 'not this one');
    const nobody = await login('nobody', PASSWORD);

    expect(wrong.status).toBe(401);
    expect({ ...nobody.body, instance: '' }).toEqual({ ...wrong.body, instance: '' });
  });
});

describe('a token', () => {
  const now = Math.floor(Date.now() / 1000);
  const key = new TextEncoder().encode(app.environment['JWT_SECRET']);
  const sign = (claims: { iss?: string; aud?: string; exp?: number; alg?: string }) =>
    new SignJWT({ role: 'user' })
      .setProtectedHeader({ alg: claims.alg ?? 'HS256' })
      .setSubject(ALICE)
      .setIssuer(claims.iss ?? 'zpack')
      .setAudience(claims.aud ?? 'zpack:access')
      .setExpirationTime(claims.exp ?? now + 60)
      .sign(key);
  const me = (token: string) => createClient(app.url, token).call('GET', '/api/auth/me');

  test('that we could have issued is believed', async () => {
    expect(await me(await sign({}))).toMatchObject({ status: 200, body: { user: { id: ALICE } } });
  });

  test.each([
    ['of another issuer', { iss: 'somebody' }],
    ['for another audience', { aud: 'zpack:ide' }],
    ['that has expired', { exp: now - 10 }],
    ['of another algorithm', { alg: 'HS512' }],
  ])('%s is refused', async (_, claims) => {
    const answer = await me(await sign(claims));

    expect(answer).toMatchObject({ status: 401, body: { error: 'unauthenticated' } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('without a signature is refused', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { sub: ALICE, role: 'admin', iss: 'zpack', aud: 'zpack:access', exp: now + 60 };

    expect((await me(`${part({ alg: 'none' })}.${part(claims)}.`)).status).toBe(401);
    expect((await me('')).status).toBe(401);
  });
});
