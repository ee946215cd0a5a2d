import { z } from 'zod';

import { ControlPlaneError } from '../../errors.ts';
import type { User, Users } from '../../storage/users.ts';
import { verifyPassword } from '../auth/passwords.ts';
import type { Tokens } from '../auth/tokens.ts';
import { type AnyEndpoint, endpoint, nothing, publicEndpoint } from '../endpoint.ts';

const userView = z
  .object({
    id: z.string(),
    email: z.string(),
    username: z.string(),
    displayName: z.string().nullable(),
    role: z.enum(['user', 'admin']),
  })
  .meta({ id: 'User' });

const session = z
  .object({
    token: z.string().describe('The access token, under the name that existing clients read'),
    accessToken: z.string(),
    expiresIn: z.number().int().describe('Seconds'),
    user: userView,
  })
  .meta({ id: 'Session' });

const view = ({ id, email, username, displayName, role }: User) => ({
  id,
  email,
  username,
  displayName,
  role,
});

export function authEndpoints({
  users,
  tokens,
}: {
  readonly users: Pick<Users, 'findById' | 'findByIdentifier'>;
  readonly tokens: Tokens;
}): readonly AnyEndpoint[] {
  return [
    publicEndpoint({
      operationId: 'login',
      summary: 'Sign in with e-mail or username',
      tag: 'auth',
      method: 'post',
      path: '/api/auth/login',
      params: nothing,
      query: nothing,
      body: z.object({ identifier: z.string().min(1), password: z.string().min(1).max(1024) }),
      replies: { 200: session },
      problems: ['invalid_input', 'unauthenticated'],
      async handle({ body }) {
        const user = await users.findByIdentifier(body.identifier);
        const isRight = await verifyPassword(body.password, user?.passwordHash ?? null);
        if (!user || !isRight) {
          throw new ControlPlaneError('unauthenticated', 'unknown account or wrong password');
        }
        const principal = { userId: user.id, role: user.role };
        const { token, expiresIn } = await tokens.issueAccess(principal);
        return { status: 200, body: { token, accessToken: token, expiresIn, user: view(user) } };
      },
    }),
    endpoint({
      operationId: 'getMe',
      summary: 'Who am I?',
      tag: 'auth',
      method: 'get',
      path: '/api/auth/me',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: z.object({ user: userView }) },
      problems: ['unauthenticated'],
      async handle({ principal }) {
        const user = await users.findById(principal.userId);
        if (!user) throw new ControlPlaneError('unauthenticated', 'this account is gone');
        return { status: 200, body: { user: view(user) } };
      },
    }),
  ];
}
