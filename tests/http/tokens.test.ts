import { createHmac, generateKeyPairSync } from 'node:crypto';

import fc from 'fast-check';
import { SignJWT } from 'jose';
import { describe, expect, test } from 'vitest';

import { createTokens, type TokenOptions } from '../../src/http/auth/tokens.ts';

const SECRET = 'a secret of the tests, of 32 characters or more';
const NOW = 1_800_000_000_000;

const setUp = (more: Partial<TokenOptions> = {}) =>
  createTokens({
    ...{ secret: SECRET, oldSecrets: [], issuer: 'zpack', now: () => NOW },
    ...{ accessTtlS: 900, refreshTtlS: 9_000, ideTtlS: 300, ideCookieTtlS: 3_600 },
    ...more,
  });
const tokens = setUp();
const issued = await tokens.issueAccess({ userId: 'u-1', sid: 's-1' });

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString()) as object;
const [header, payload] = issued.token.split('.').slice(0, 2).map(decode);

const ofIde = (text: string) => ({
  ...{ vmid: 5_000 + text.length, instanceId: text, sid: text, role: 'user' as const },
});
const ISSUE = {
  access: (userId: string, text: string) => tokens.issueAccess({ userId, sid: text }),
  refresh: (userId: string, text: string) =>
    tokens.issueRefresh({ userId, sid: text, jti: `${text}-1` }),
  ide: (userId: string, text: string) => tokens.issueIde({ userId, ...ofIde(text), jti: text }),
  ideCookie: (userId: string, text: string) => tokens.issueIdeCookie({ userId, ...ofIde(text) }),
};
const VERIFY = {
  access: tokens.verifyAccess,
  refresh: tokens.verifyRefresh,
  ide: tokens.verifyIde,
  ideCookie: tokens.verifyIdeCookie,
};
type Kind = keyof typeof ISSUE;
const kind = fc.constantFrom<Kind>('access', 'refresh', 'ide', 'ideCookie');

const refusal = { code: 'unauthenticated', message: 'a valid access token is required' };

test('a token of each kind says whose it is and for what, until its end', async () => {
  const ide = await tokens.issueIde({ userId: 'u-1', ...ofIde('x'), jti: 'j' });

  expect(await tokens.verifyAccess(issued.token)).toEqual({
    ...{ userId: 'u-1', sid: 's-1', expiresAt: NOW + 900_000 },
  });
  expect(await tokens.verifyIde(ide.token)).toMatchObject({ userId: 'u-1', vmid: 5001 });
  expect(issued.expiresIn).toBe(900);
});

test('whatever it says, a token of one kind is never taken for another', async () => {
  await fc.assert(
    fc.asyncProperty(kind, kind, fc.string(), fc.string(), async (made, asked, userId, text) => {
      const { token } = await ISSUE[made](userId, text);

      if (made === asked) expect(await VERIFY[asked](token)).toMatchObject({ userId });
      else await expect(VERIFY[asked](token)).rejects.toMatchObject(refusal);
    }),
    { numRuns: 200 },
  );
});

test('each kind has an audience of its own, so that what they say need not tell them apart', async () => {
  const all = await Promise.all(Object.values(ISSUE).map((issue) => issue('u-1', 'x')));

  const audiences = all.map(({ token }) => (decode(token.split('.')[1]) as { aud: string }).aud);

  expect(new Set(audiences).size).toBe(4);
});

test('a token of which anything was changed is refused', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(issued.token.length - 1), fc.base64String(), async (at, text) => {
      const changed = issued.token.slice(0, at) + text + issued.token.slice(at + text.length);
      // The last letter of a signature holds bits that nobody reads.
      fc.pre(changed.slice(0, -1) !== issued.token.slice(0, -1));

      await expect(tokens.verifyAccess(changed)).rejects.toMatchObject(refusal);
    }),
    { numRuns: 200 },
  );
});

describe('a token is refused', () => {
  const key = new TextEncoder().encode(SECRET);
  const sign = (more: { header?: object; claims?: object; key?: Uint8Array }) =>
    new SignJWT({ ...payload, ...more.claims })
      .setProtectedHeader({ alg: 'HS256', ...header, ...more.header })
      .sign(more.key ?? key);
  const hmac = (head: object, secret: string | Buffer) => {
    const signed = `${encode(head)}.${encode(payload ?? {})}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' });

  test('unless something is wrong with it', async () => {
    expect(await tokens.verifyAccess(await sign({}))).toMatchObject({ userId: 'u-1' });
    expect(await tokens.verifyAccess(hmac(header ?? {}, SECRET))).toMatchObject({ sid: 's-1' });
  });

  test.each<[string, () => string | Promise<string>]>([
    ['of another issuer', () => sign({ claims: { iss: 'somebody' } })],
    ['of no issuer', () => sign({ claims: { iss: undefined } })],
    ['for another audience', () => sign({ claims: { aud: 'zpack:other' } })],
    ['for refreshing', () => sign({ claims: { aud: 'zpack:refresh', jti: 'j' } })],
    ['for an IDE', () => sign({ claims: { aud: 'zpack:ide', ...ofIde('x') } })],
    ['of an IDE', () => sign({ claims: { aud: 'zpack:ide-cookie', ...ofIde('x') } })],
    ['that has expired', () => sign({ claims: { exp: NOW / 1000 } })],
    ['that never expires', () => sign({ claims: { exp: undefined } })],
    ['of nobody', () => sign({ claims: { sub: undefined } })],
    ['of no session', () => sign({ claims: { sid: undefined } })],
    ['of HS512', () => sign({ header: { alg: 'HS512' } })],
    ['of an unknown key', () => sign({ header: { kid: 'unknown' } })],
    ['of no key', () => sign({ header: { kid: undefined } })],
    ['signed by another key', () => sign({ key: new TextEncoder().encode('x'.repeat(32)) })],
    [
      'without a signature',
      () => `${encode({ ...header, alg: 'none' })}.${encode(payload ?? {})}.`,
    ],
    ['with its signature, of none', () => hmac({ ...header, alg: 'none' }, SECRET)],
    [
      'of RS256',
      async () =>
        new SignJWT({ ...payload })
          .setProtectedHeader({ ...header, alg: 'RS256' })
          .sign(rsa.privateKey),
    ],
    ['of a public key as a secret', () => hmac(header ?? {}, publicPem)],
    ['that is none', () => 'not.a.token'],
  ])('%s', async (_, make) => {
    await expect(tokens.verifyAccess(await make())).rejects.toMatchObject(refusal);
  });
});

describe('a key that is replaced', () => {
  const until = NOW + 60_000;
  const clock = { ms: NOW };
  const next = setUp({
    ...{ secret: 'the next secret of the tests, as long as it' },
    ...{ oldSecrets: [{ secret: SECRET, until }], now: () => clock.ms },
  });

  test('verifies until its end, and signs nothing any more', async () => {
    const fresh = await next.issueAccess({ userId: 'u-2', sid: 's-2' });
    clock.ms = until - 1;
    expect(await next.verifyAccess(issued.token)).toMatchObject({ userId: 'u-1' });
    clock.ms = until;

    await expect(next.verifyAccess(issued.token)).rejects.toMatchObject(refusal);
    expect(await next.verifyAccess(fresh.token)).toMatchObject({ userId: 'u-2' });
    await expect(tokens.verifyAccess(fresh.token)).rejects.toMatchObject(refusal);
  });

  test('is named by what follows from it', () => {
    expect(header).toEqual({ alg: 'HS256', kid: expect.stringMatching(/^[\w-]{12}$/) });
  });
});
