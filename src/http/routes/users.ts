import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { Accounts } from '../../storage/accounts.ts';
import type { Audit } from '../../storage/audit.ts';
import type { Users } from '../../storage/users.ts';
import { userView, viewUser } from '../account-view.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import type { Authentication } from '../auth/authentication.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';
import { requireAdmin } from './reconcile.ts';

export interface UserDependencies {
  readonly users: Pick<Users, 'list'>;
  readonly accounts: Pick<Accounts, 'changeRole'>;
  readonly audit: Pick<Audit, 'list'>;
  readonly authentication: Pick<Authentication, 'forget'>;
  /** Subscriptions are to hear of a role: only a hint. */
  readonly rolesSoon: () => void;
}

const pageFields = {
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: plainText.max(100).optional().describe('`nextCursor` of the page before'),
};
const nextCursor = z.string().nullable().describe('null: the last page');

const cursorOf = (rows: readonly { readonly id: string }[], limit: number) =>
  rows.length === limit ? (rows.at(-1)?.id ?? null) : null;

const entryView = z
  .object({
    id: z.string(),
    at: z.iso.datetime(),
    actorId: z.string().nullable().describe('null: nobody who was signed in'),
    subjectId: z.string().nullable().describe('null: nobody knows'),
    action: z.string(),
    outcome: z.string(),
    ip: z.string().nullable(),
    detail: z.unknown(),
  })
  .meta({ id: 'AuditEntry' });

const base = { tag: 'admin' } as const;
const page = { ...base, method: 'get', params: nothing, body: nothing } as const;

export function userEndpoints(dependencies: UserDependencies): readonly AnyEndpoint[] {
  const { users, accounts, authentication, rolesSoon } = dependencies;
  return [
    endpoint({
      ...page,
      operationId: 'listUsers',
      summary: 'All accounts, the latest first',
      path: '/api/admin/users',
      query: z.object({
        ...pageFields,
        search: plainText.min(1).max(100).optional().describe('A part of e-mail or name'),
      }),
      replies: { 200: z.object({ users: z.array(userView), nextCursor }) },
      problems: ['invalid_input', 'unauthenticated', 'forbidden'],
      async handle({ principal, query: { limit, cursor, search } }) {
        requireAdmin(principal);
        const rows = await users.list({ limit, after: cursor, search });
        const body = { users: rows.map(viewUser), nextCursor: cursorOf(rows, limit) };
        return { status: 200, body };
      },
    }),
    endpoint({
      ...base,
      operationId: 'changeRole',
      sessionOnly: true,
      summary: 'Make somebody an administrator, or not one any more',
      method: 'patch',
      path: '/api/admin/users/:userId',
      params: z.object({ userId: plainText.max(100) }),
      query: nothing,
      body: z.object({ role: z.enum(['user', 'admin']) }),
      replies: { 200: z.object({ user: userView }) },
      problems: ['invalid_input', 'unauthenticated', 'forbidden', 'not_found', 'conflict'],
      async handle({ principal, params: { userId }, body: { role }, caller }) {
        requireAdmin(principal);
        const user = await accounts.changeRole(userId, role, (from) => ({
          ...ownEntry('role.changed', userId, caller, { from, to: role }),
          actorId: principal.userId,
        }));
        if (!user) throw new NotFoundError(`there is no account ${userId}`);
        authentication.forget(userId);
        rolesSoon();
        return { status: 200, body: { user: viewUser(user) } };
      },
    }),
    auditEndpoint(dependencies),
  ];
}

function auditEndpoint({ audit }: Pick<UserDependencies, 'audit'>): AnyEndpoint {
  return endpoint({
    ...page,
    operationId: 'listAuditEntries',
    summary: 'What was done to accounts and to money, the latest first',
    path: '/api/admin/audit',
    query: z.object({
      ...pageFields,
      subjectId: plainText.max(100).optional().describe('Only about this account'),
      action: plainText.max(100).optional(),
    }),
    replies: { 200: z.object({ entries: z.array(entryView), nextCursor }) },
    problems: ['invalid_input', 'unauthenticated', 'forbidden'],
    async handle({ principal, query: { limit, cursor: after, ...query } }) {
      requireAdmin(principal);
      const rows = await audit.list({ limit, after, ...query });
      const entries = rows.map(({ at, ...entry }) => ({ ...entry, at: at.toISOString() }));
      return { status: 200, body: { entries, nextCursor: cursorOf(rows, limit) } };
    },
  });
}
