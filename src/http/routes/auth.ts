import { z } from 'zod';

import type { Sessions } from '../../storage/sessions.ts';
import { accountView, type BillingOf, viewAccount } from '../account-view.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import type { Authentication } from '../auth/authentication.ts';
import { anyPassword, newPassword } from '../auth/password-rules.ts';
import { sessionOf } from '../auth/principal.ts';
import type { SignedIn, SignIn } from '../auth/sign-in.ts';
import { type AnyEndpoint, endpoint, nothing, publicEndpoint } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';
import { nameFields } from './account.ts';

export interface AuthDependencies {
  readonly signIn: SignIn;
  readonly sessions: Pick<Sessions, 'revoke'>;
  readonly authentication: Authentication;
  readonly billingOf: BillingOf;
  readonly now: () => number;
}

const sessionView = z
  .object({
    token: z.string().describe('The access token, under the name that existing clients read'),
    accessToken: z.string(),
    refreshToken: z.string().describe('Good for one use, by which it is replaced'),
    expiresIn: z.number().int().describe('Of the access token, in seconds'),
    user: accountView,
  })
  .meta({ id: 'Session' });

/** Nobody on the way may keep a token. */
const NOT_KEPT = { 'Cache-Control': 'no-store' };

const registration = z.object({
  email: z.email().max(254),
  username: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{2,31}$/, 'expected 3 to 32 of A–Z, a–z, 0–9, . _ and -'),
  password: newPassword,
  ...nameFields,
});

const base = { tag: 'auth', method: 'post', params: nothing, query: nothing } as const;

export function authEndpoints(dependencies: AuthDependencies): readonly AnyEndpoint[] {
  const { signIn, billingOf } = dependencies;

  async function toBody({ user, accessToken, refreshToken, expiresIn }: SignedIn) {
    const account = viewAccount(user, await billingOf(user.id));
    return { token: accessToken, accessToken, refreshToken, expiresIn, user: account };
  }

  return [
    publicEndpoint({
      ...base,
      operationId: 'register',
      summary: 'Open an account, and sign in',
      path: '/api/auth/register',
      body: registration,
      replies: { 201: sessionView },
      problems: ['invalid_input', 'account_exists', 'limit_exceeded'],
      handle: async ({ body, caller }) => ({
        status: 201,
        headers: NOT_KEPT,
        body: await toBody(await signIn.register(body, caller)),
      }),
    }),
    publicEndpoint({
      ...base,
      operationId: 'login',
      summary: 'Sign in with e-mail or username',
      path: '/api/auth/login',
      body: z.object({ identifier: plainText.min(1).max(254), password: anyPassword }),
      replies: { 200: sessionView },
      problems: ['invalid_input', 'unauthenticated', 'limit_exceeded'],
      handle: async ({ body, caller }) => ({
        status: 200,
        headers: NOT_KEPT,
        body: await toBody(await signIn.login(body, caller)),
      }),
    }),
    publicEndpoint({
      ...base,
      operationId: 'refresh',
      summary: 'Go on being signed in: two new tokens for a refresh token, which ends by that',
      path: '/api/auth/refresh',
      body: z.object({ refreshToken: z.string().min(1).max(2_048) }),
      replies: { 200: sessionView },
      problems: ['invalid_input', 'unauthenticated', 'limit_exceeded'],
      handle: async ({ body, caller }) => ({
        status: 200,
        headers: NOT_KEPT,
        body: await toBody(await signIn.refresh(body.refreshToken, caller)),
      }),
    }),
    logoutEndpoint(dependencies),
  ];
}

function logoutEndpoint({ sessions, authentication, now }: AuthDependencies): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: 'logout',
    summary: 'End this sign-in, with all of its tokens',
    path: '/api/auth/logout',
    body: nothing,
    sessionOnly: true,
    replies: { 200: z.object({ ok: z.literal(true) }) },
    problems: ['unauthenticated'],
    async handle({ principal, caller }) {
      const [{ userId }, id] = [principal, sessionOf(principal)];
      const one = { id, userId, at: new Date(now()) };
      const audit = ownEntry('session.closed', userId, caller, { sessionId: id });
      await sessions.revoke(one, { revokedFor: 'logout', audit });
      authentication.forget(userId);
      return { status: 200, body: { ok: true } };
    },
  });
}
