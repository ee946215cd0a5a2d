import { createHmac, generateKeyPairSync } from 'node:crypto';

import { SignJWT } from 'jose';
import Stripe from 'stripe';

import { signEvent } from '../../lab/resend/webhook.ts';

import { hashSecret, SECRET_HEADER } from '../../src/clients/velocity/secret.ts';
import type { Scope } from '../../src/http/auth/principal.ts';
import { createClient } from '../support/app.ts';
import { type AuthorisationWorld, type Machine, USERS, type Who } from './authorisation-world.ts';

/** Who asks, and for whom they ought to be taken. */
export interface Caller {
  readonly name: string;
  /** null: for nobody. `scopes` null: by a sign-in. */
  readonly as: { readonly who: Who; readonly scopes: readonly Scope[] | null } | null;
  readonly machine?: Machine;
  /** `isLast`: the sign-in that is shown will not survive it. */
  headers(request: {
    readonly body: string;
    readonly isLast: boolean;
  }): Promise<Readonly<Record<string, string>>>;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function nobody(name: string, headers: Readonly<Record<string, string>>): Caller {
  return { name, as: null, headers: async () => headers };
}

/** `forgedFrom`: a sign-in that counts to the end, so that what is made of it is refused for itself. */
export async function createCallers(
  world: AuthorisationWorld,
): Promise<{ readonly callers: readonly Caller[]; readonly forgedFrom: string }> {
  const people = await Promise.all([
    ...(Object.keys(USERS) as Who[]).map((who) => signedIn(world, who)),
    scripted(world, 'owner', ['read']),
    scripted(world, 'owner', ['write']),
    // As of somebody who was an administrator when it was made.
    scripted(world, 'owner', ['admin']),
    scripted(world, 'other', ['read', 'write']),
    scripted(world, 'suspended', ['read', 'write']),
    scripted(world, 'admin', ['read', 'write']),
    scripted(world, 'admin', ['read', 'write', 'admin']),
  ]);
  const session = await world.openSession(USERS.owner);
  const nobodies = await strangers(world, session);
  return { callers: [...nobodies, ...machines(world), ...people], forgedFrom: session.id };
}

async function signedIn(world: AuthorisationWorld, who: Who): Promise<Caller> {
  const kept = await world.openSession(USERS[who]);
  world.app.keepSecret(kept.accessToken);
  return {
    ...{ name: who, as: { who, scopes: null } },
    async headers({ isLast }) {
      const { accessToken } = isLast ? await world.openSession(USERS[who]) : kept;
      return bearer(accessToken);
    },
  };
}

async function scripted(
  world: AuthorisationWorld,
  who: Who,
  scopes: readonly Scope[],
): Promise<Caller> {
  const { token } = await world.createApiToken(USERS[who], scopes);
  world.app.keepSecret(token);
  const name = `${who}, by a token for ${scopes.join(' and ')}`;
  return { name, as: { who, scopes }, headers: async () => bearer(token) };
}

/** Each brings what is right for one gate, and opens no other. */
function machines({ gates, stripe }: AuthorisationWorld): readonly Caller[] {
  const { prometheus, traefik, bridge } = gates;
  const sign = (payload: string) =>
    Stripe.webhooks.generateTestHeaderString({ payload, secret: stripe.webhookSecret });
  return [
    { ...nobody('Prometheus', bearer(prometheus)), machine: 'prometheus' },
    { ...nobody('Traefik', bearer(traefik)), machine: 'traefik' },
    { ...nobody('the bridge', { [SECRET_HEADER]: hashSecret(bridge) }), machine: 'bridge' },
    {
      ...{ name: 'Stripe', as: null, machine: 'stripe' },
      headers: async ({ body }) => ({ 'stripe-signature': sign(body) }),
    },
    {
      ...{ name: 'Resend', as: null, machine: 'resend' },
      headers: async ({ body }) => signEvent(gates.resend, body),
    },
  ];
}

/** Whoever ought to be nobody, though most of them bring what once was, or nearly is, the owner's. */
async function strangers(
  world: AuthorisationWorld,
  session: Awaited<ReturnType<AuthorisationWorld['openSession']>>,
): Promise<readonly Caller[]> {
  const { owner } = USERS;
  const ended = await world.openSession(owner);
  const past = new Date(Date.now() - 1_000);
  const [expired, revoked] = [
    await world.createApiToken(owner, ['read', 'write'], { expiresAt: past }),
    await world.createApiToken(owner, ['read', 'write'], { revokedAt: past }),
  ];
  const leaving = createClient(world.app.url, ended.accessToken);
  const { status } = await leaving.call('POST', '/api/auth/logout');
  if (status !== 200) throw new Error(`the session did not end: ${status}`);
  const ofIde = { userId: owner, vmid: 20_001, instanceId: '20001-matrix', sid: session.id };
  const ide = await world.tokens.issueIde({ ...ofIde, role: 'user', jti: 'once' });
  const cookie = await world.tokens.issueIdeCookie({ ...ofIde, role: 'user' });
  const { accessToken } = session;
  const forged = await forge(accessToken, world.secret);
  return [
    nobody('nobody', {}),
    nobody('garbage', bearer('garbage')),
    nobody('garbage of three parts', bearer('not.a.token')),
    nobody('a right token of another scheme', { authorization: `Basic ${accessToken}` }),
    nobody('a refresh token', bearer(session.refreshToken)),
    nobody('an IDE token', bearer(ide.token)),
    nobody('the cookie of an IDE', bearer(cookie.token)),
    nobody('a sign-in that has ended', bearer(ended.accessToken)),
    nobody('an API token of nobody', bearer(`zpk_${'x'.repeat(43)}`)),
    nobody('an API token that has expired', bearer(expired.token)),
    nobody('an API token that was revoked', bearer(revoked.token)),
    ...Object.entries(forged).map(([name, token]) => nobody(name, bearer(token))),
  ];
}

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part = '') => JSON.parse(Buffer.from(part, 'base64url').toString()) as object;

/** From a token that is right, one for each thing that can be wrong with it alone. */
async function forge(token: string, secret: string): Promise<Readonly<Record<string, string>>> {
  const [header, payload] = token.split('.').slice(0, 2).map(decode) as [object, object];
  const hmac = (head: object, claims: object, key: string | Buffer, hash = 'sha256') => {
    const signed = `${encode(head)}.${encode(claims)}`;
    return `${signed}.${createHmac(hash, key).update(signed).digest('base64url')}`;
  };
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
  // What is forged here is refused for what is wrong with it, and not for how it is made.
  if (hmac(header, payload, secret) !== token) throw new Error('forging does not work');
  return {
    'a token that has expired': hmac(header, { ...payload, exp: 1_000_000_000 }, secret),
    'a token for another audience': hmac(header, { ...payload, aud: 'zpack:other' }, secret),
    'a token of another issuer': hmac(header, { ...payload, iss: 'somebody' }, secret),
    'a token of none': `${encode({ ...header, alg: 'none' })}.${encode(payload)}.`,
    'a token of none, signed': hmac({ ...header, alg: 'none' }, payload, secret),
    'a token of HS512': hmac({ ...header, alg: 'HS512' }, payload, secret, 'sha512'),
    'a token of RS256': await new SignJWT({ ...payload })
      .setProtectedHeader({ ...header, alg: 'RS256' })
      .sign(rsa.privateKey),
    'a token signed by a public key': hmac(header, payload, publicPem),
    'a token signed by another secret': hmac(header, payload, 'x'.repeat(32)),
  };
}
