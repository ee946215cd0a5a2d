import { z } from 'zod';

import { ControlPlaneError, NotFoundError } from '../../errors.ts';
import type { ApiTokenRow, ApiTokens } from '../../storage/api-tokens.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import type { Authentication } from '../auth/authentication.ts';
import { hashToken } from '../auth/opaque-token.ts';
import { SCOPES, sessionOf } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';

export interface ApiTokenDependencies {
  readonly apiTokens: Pick<ApiTokens, 'create' | 'list' | 'revoke'>;
  readonly authentication: Pick<Authentication, 'forget'>;
  readonly now: () => number;
  readonly newId: () => string;
  /** 32 random bytes, as text. */
  readonly randomToken: () => string;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const time = z.iso.datetime();

const apiTokenView = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(SCOPES)),
    createdAt: time,
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable().describe('By the minute; null: never'),
  })
  .meta({ id: 'ApiToken' });

const wanted = z.object({
  name: plainText.trim().min(1).max(100),
  scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length),
  expiresInDays: z.number().int().min(1).max(366).default(90),
});

const base = { tag: 'account', query: nothing, sessionOnly: true } as const;

export function apiTokenEndpoints(dependencies: ApiTokenDependencies): readonly AnyEndpoint[] {
  const { apiTokens, authentication, now } = dependencies;
  return [
    endpoint({
      ...base,
      operationId: 'listApiTokens',
      summary: 'My tokens for scripts, without the tokens themselves',
      method: 'get',
      path: '/api/auth/tokens',
      params: nothing,
      body: nothing,
      replies: { 200: z.object({ tokens: z.array(apiTokenView) }) },
      problems: ['unauthenticated'],
      async handle({ principal: { userId } }) {
        const rows = await apiTokens.list(userId, new Date(now()));
        return { status: 200, body: { tokens: rows.map(view) } };
      },
    }),
    createEndpoint(dependencies),
    endpoint({
      ...base,
      operationId: 'revokeApiToken',
      summary: 'End a token',
      method: 'delete',
      path: '/api/auth/tokens/:tokenId',
      params: z.object({ tokenId: plainText.max(100) }),
      body: nothing,
      replies: { 200: z.object({ ok: z.literal(true) }) },
      problems: ['unauthenticated', 'not_found'],
      async handle({ principal: { userId }, params: { tokenId: id }, caller }) {
        const audit = ownEntry('api_token.revoked', userId, caller, { tokenId: id });
        const isRevoked = await apiTokens.revoke({ id, userId, at: new Date(now()) }, audit);
        if (!isRevoked) throw new NotFoundError(`there is no token ${id}`);
        authentication.forget(userId);
        return { status: 200, body: { ok: true } };
      },
    }),
  ];
}

function createEndpoint(dependencies: ApiTokenDependencies): AnyEndpoint {
  const { apiTokens, now, newId, randomToken } = dependencies;
  return endpoint({
    ...base,
    operationId: 'createApiToken',
    summary: 'A token for scripts, shown this once',
    method: 'post',
    path: '/api/auth/tokens',
    params: nothing,
    body: wanted,
    replies: { 201: z.object({ token: z.string(), apiToken: apiTokenView }) },
    problems: ['invalid_input', 'unauthenticated', 'forbidden', 'conflict'],
    async handle({ principal, body, caller }) {
      const { userId, role } = principal;
      const scopes = [...new Set(body.scopes)];
      if (scopes.includes('admin') && role !== 'admin') {
        throw new ControlPlaneError('forbidden', 'the scope admin is for administrators');
      }
      const [id, token, at] = [newId(), `zpk_${randomToken()}`, now()];
      const audit = ownEntry('api_token.created', userId, caller, { tokenId: id, scopes });
      const row = await apiTokens.create(
        {
          ...{ id, userId, name: body.name, hash: hashToken(token), scopes, at: new Date(at) },
          expiresAt: new Date(at + body.expiresInDays * DAY_MS),
        },
        { sessionId: sessionOf(principal), audit },
      );
      const headers = { 'Cache-Control': 'no-store' };
      if (!row) throw new ControlPlaneError('unauthenticated', 'this sign-in has ended');
      return { status: 201, headers, body: { token, apiToken: view(row) } };
    },
  });
}

const view = ({ id, name, scopes, createdAt, expiresAt, lastUsedAt }: ApiTokenRow) => ({
  ...{ id, name, scopes },
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
});
