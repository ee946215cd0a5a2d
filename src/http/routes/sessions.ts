import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { Sessions } from '../../storage/sessions.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import type { Authentication } from '../auth/authentication.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';

export interface SessionDependencies {
  readonly sessions: Pick<Sessions, 'list' | 'revoke'>;
  readonly authentication: Pick<Authentication, 'forget'>;
  readonly now: () => number;
}

const time = z.iso.datetime();

const signInView = z
  .object({
    id: z.string(),
    userAgent: z.string().nullable(),
    createdAt: time,
    lastUsedAt: time.describe('When its tokens were last replaced'),
    expiresAt: time.describe('Unless it is used before'),
    isCurrent: z.boolean(),
  })
  .meta({ id: 'SignIn' });

export function sessionEndpoints(dependencies: SessionDependencies): readonly AnyEndpoint[] {
  const { sessions, authentication, now } = dependencies;
  const base = { tag: 'account', query: nothing, body: nothing, sessionOnly: true } as const;
  return [
    endpoint({
      ...base,
      operationId: 'listSessions',
      summary: 'Where I am signed in',
      method: 'get',
      path: '/api/auth/sessions',
      params: nothing,
      replies: { 200: z.object({ sessions: z.array(signInView) }) },
      problems: ['unauthenticated'],
      async handle({ principal: { userId, credentialId } }) {
        const rows = await sessions.list(userId, new Date(now()));
        const shown = rows.map(({ id, userAgent, createdAt, lastUsedAt, expiresAt }) => ({
          ...{ id, userAgent, isCurrent: id === credentialId },
          createdAt: createdAt.toISOString(),
          lastUsedAt: lastUsedAt.toISOString(),
          expiresAt: expiresAt.toISOString(),
        }));
        return { status: 200, body: { sessions: shown } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'endSession',
      summary: 'End one of my sign-ins',
      method: 'delete',
      path: '/api/auth/sessions/:sessionId',
      params: z.object({ sessionId: plainText.max(100) }),
      replies: { 200: z.object({ ok: z.literal(true) }) },
      problems: ['unauthenticated', 'not_found'],
      async handle({ principal: { userId }, params: { sessionId: id }, caller }) {
        const audit = ownEntry('session.revoked', userId, caller, { sessionId: id });
        const one = { id, userId, at: new Date(now()) };
        const isRevoked = await sessions.revoke(one, { revokedFor: 'revoked', audit });
        if (!isRevoked) throw new NotFoundError(`there is no sign-in ${id}`);
        authentication.forget(userId);
        return { status: 200, body: { ok: true } };
      },
    }),
  ];
}
