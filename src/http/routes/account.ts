import { z } from 'zod';

import { ControlPlaneError } from '../../errors.ts';
import type { Audit } from '../../storage/audit.ts';
import type { Users } from '../../storage/users.ts';
import {
  accountView,
  type BillingOf,
  profileView,
  viewAccount,
  viewProfile,
} from '../account-view.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { plainText } from '../plain-text.ts';

export interface AccountDependencies {
  readonly users: Pick<Users, 'findById' | 'rename'>;
  readonly audit: Pick<Audit, 'write'>;
  readonly billingOf: BillingOf;
}

/** Forms send what was left empty as an empty text. */
const name = plainText
  .trim()
  .max(100)
  .transform((text) => text || null)
  .nullish();

export const nameFields = { firstName: name, lastName: name, displayName: name };

const gone = () => new ControlPlaneError('unauthenticated', 'this account is gone');

const base = { tag: 'account', params: nothing, query: nothing, sessionOnly: true } as const;
const me = { ...base, path: '/api/auth/me', replies: { 200: z.object({ user: accountView }) } };

export function accountEndpoints({
  users,
  audit,
  billingOf,
}: AccountDependencies): readonly AnyEndpoint[] {
  return [
    endpoint({
      ...me,
      operationId: 'getMe',
      summary: 'Who am I?',
      method: 'get',
      body: nothing,
      problems: ['unauthenticated'],
      async handle({ principal: { userId } }) {
        const [user, standing] = await Promise.all([users.findById(userId), billingOf(userId)]);
        if (!user) throw gone();
        return { status: 200, body: { user: viewAccount(user, standing) } };
      },
    }),
    endpoint({
      ...me,
      operationId: 'changeMe',
      summary: 'Change how I am called; null or an empty text removes a name',
      method: 'patch',
      body: z.object(nameFields),
      problems: ['invalid_input', 'unauthenticated'],
      async handle({ principal: { userId }, body, caller }) {
        const user = await users.rename(userId, body);
        if (!user) throw gone();
        await audit.write(ownEntry('profile.changed', userId, caller, { of: Object.keys(body) }));
        return { status: 200, body: { user: viewAccount(user, await billingOf(userId)) } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getProfile',
      summary: 'My account and its plan',
      method: 'get',
      path: '/api/users/profile',
      body: nothing,
      replies: { 200: profileView },
      problems: ['unauthenticated'],
      async handle({ principal: { userId } }) {
        const [user, standing] = await Promise.all([users.findById(userId), billingOf(userId)]);
        if (!user) throw gone();
        return { status: 200, body: viewProfile(user, standing) };
      },
    }),
  ];
}
