import type { SnapshotFrom } from 'xstate';

import type { subscriptionMachine } from './machine.ts';

type SubscriptionSnapshot = SnapshotFrom<typeof subscriptionMachine>;

const WISH = { operationId: '', requestedBy: '', at: 0 };
/** No plan has this name, so that any other one is another one. */
const ANOTHER = { planId: '\0', priceId: '\0' };

const WISHES = {
  upgrade: { type: 'upgrade.requested', ...ANOTHER, ...WISH },
  downgrade: { type: 'downgrade.requested', ...ANOTHER, ...WISH },
  keep: { type: 'keep.requested', ...WISH },
} as const;

type WishName = keyof typeof WISHES;

export const allowedActions = (snapshot: SubscriptionSnapshot): readonly WishName[] =>
  (Object.keys(WISHES) as WishName[]).filter((name) => snapshot.can(WISHES[name]));

const REFUSALS = {
  change_in_progress: 'another change of the plan is being made',
  payment_due: 'the last payment has failed',
  not_subscribed: 'nothing is paid for',
  no_change_pending: 'no change waits for the end of the period',
  change_pending: 'another change waits for the end of the period',
  same_plan: 'it is this plan already',
} as const;

export type ChangeRefusal = keyof typeof REFUSALS;

function refusalOf(snapshot: SubscriptionSnapshot, type: string): ChangeRefusal {
  const { standing, change } = snapshot.value;
  const { observed } = snapshot.context;
  if (change !== 'idle') return 'change_in_progress';
  if (standing === 'past_due' || standing === 'suspended') return 'payment_due';
  if (standing !== 'active' && standing !== 'trialing') return 'not_subscribed';
  if (type === 'keep.requested') return 'no_change_pending';
  return observed?.pending ? 'change_pending' : 'same_plan';
}

/** Why a change is refused in this state: a stable code, and a sentence for people. */
export function explain(
  snapshot: SubscriptionSnapshot,
  { type }: { readonly type: string },
): { code: ChangeRefusal; message: string } {
  const code = refusalOf(snapshot, type);
  return { code, message: REFUSALS[code] };
}
