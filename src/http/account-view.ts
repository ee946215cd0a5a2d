import { z } from 'zod';

import type { StoredUser } from '../storage/users.ts';

/** What an account pays, and whether it has. */
export interface BillingStanding {
  readonly status: string;
  readonly suspendedAt: Date | null;
  readonly planName: string | null;
  /** A month, in whole units of its currency. */
  readonly planPrice: number;
}

export type BillingOf = (userId: string) => Promise<BillingStanding>;

const text = z.string();

const accountFields = {
  id: text,
  email: text,
  username: text,
  firstName: text.nullable(),
  lastName: text.nullable(),
  displayName: text.nullable(),
  role: z.enum(['user', 'admin']),
  mailBouncedAt: z.iso
    .datetime()
    .nullable()
    .describe('Mail does not reach it since; null: it does'),
};

const billingFields = {
  billing_status: text.describe('Under the name that existing clients read'),
  suspended_at: z.iso.datetime().nullable().describe('null: it is not suspended'),
};

/** As administrators see it. */
export const userView = z
  .object({ ...accountFields, createdAt: z.iso.datetime() })
  .meta({ id: 'User' });

/** As its owner sees it. */
export const accountView = z.object({ ...accountFields, ...billingFields }).meta({ id: 'Account' });

export const profileView = z
  .object({
    ...accountFields,
    ...billingFields,
    plan_name: text.nullable(),
    plan_price: z.number().describe('A month'),
  })
  .meta({ id: 'Profile' });

const viewFields = (user: StoredUser) => {
  const { id, email, username, firstName, lastName, displayName, role } = user;
  const mailBouncedAt = user.mailBouncedAt?.toISOString() ?? null;
  return { id, email, username, firstName, lastName, displayName, role, mailBouncedAt };
};

export const viewUser = (user: StoredUser) => ({
  ...viewFields(user),
  createdAt: user.createdAt.toISOString(),
});

export const viewAccount = (user: StoredUser, { status, suspendedAt }: BillingStanding) => ({
  ...viewFields(user),
  billing_status: status,
  suspended_at: suspendedAt?.toISOString() ?? null,
});

export const viewProfile = (user: StoredUser, standing: BillingStanding) => ({
  ...viewAccount(user, standing),
  plan_name: standing.planName,
  plan_price: standing.planPrice,
});
