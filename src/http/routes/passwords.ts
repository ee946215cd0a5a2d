import { z } from 'zod';

import type { PasswordChanges } from '../auth/password-changes.ts';
import { anyPassword, newPassword } from '../auth/password-rules.ts';
import { sessionOf } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing, publicEndpoint } from '../endpoint.ts';

const base = { tag: 'auth', method: 'post', params: nothing, query: nothing } as const;
const done = z.object({ ok: z.literal(true) });

/** Existing clients call the field either way. */
const confirmation = z
  .object({
    token: z.string().min(1).max(200),
    password: newPassword.optional(),
    newPassword: newPassword.optional().describe('Another name of `password`'),
  })
  .transform(({ token, password, newPassword: other }, context) => {
    const wanted = password ?? other;
    if (wanted !== undefined) return { token, password: wanted };
    context.issues.push({ code: 'custom', path: ['password'], message: 'expected', input: wanted });
    return z.NEVER;
  });

export function passwordEndpoints(changes: PasswordChanges): readonly AnyEndpoint[] {
  return [
    endpoint({
      ...base,
      operationId: 'changePassword',
      summary: 'Change the password; all other sign-ins end',
      path: '/api/auth/change-password',
      body: z.object({ currentPassword: anyPassword, newPassword }),
      sessionOnly: true,
      replies: { 200: done },
      problems: ['invalid_input', 'unauthenticated', 'wrong_password', 'limit_exceeded'],
      async handle({ principal, body, caller }) {
        const change = { userId: principal.userId, sessionId: sessionOf(principal), ...body };
        await changes.change(change, caller);
        return { status: 200, body: { ok: true } };
      },
    }),
    requestEndpoint(changes, 'requestPasswordReset', '/api/auth/password-reset/request'),
    requestEndpoint(changes, 'forgotPassword', '/api/auth/forgot-password'),
    confirmEndpoint(changes, 'confirmPasswordReset', '/api/auth/password-reset/confirm'),
    confirmEndpoint(changes, 'resetPassword', '/api/auth/reset-password'),
  ];
}

const requestEndpoint = (
  { requestReset }: PasswordChanges,
  operationId: string,
  path: string,
): AnyEndpoint =>
  publicEndpoint({
    ...base,
    operationId,
    summary: 'Ask for a link that sets a password; the answer is the same for every address',
    path,
    body: z.object({ email: z.email().max(254) }),
    replies: { 202: done },
    problems: ['invalid_input', 'limit_exceeded'],
    async handle({ body, caller }) {
      await requestReset(body.email, caller);
      return { status: 202, body: { ok: true } };
    },
  });

const confirmEndpoint = (
  { confirmReset }: PasswordChanges,
  operationId: string,
  path: string,
): AnyEndpoint =>
  publicEndpoint({
    ...base,
    operationId,
    summary: 'Set a password by the token of a link; all sign-ins and API tokens end',
    path,
    body: confirmation,
    replies: { 200: done },
    problems: ['invalid_input', 'reset_token_invalid'],
    async handle({ body, caller }) {
      await confirmReset(body, caller);
      return { status: 200, body: { ok: true } };
    },
  });
