import { subscriptionSetup } from '../setup.ts';
import {
  checkOnce,
  expire,
  fallDue,
  keepAnew,
  rememberObserved,
  restore,
  settle,
  suspend,
  tellSuspended,
} from '../steps.ts';
import type { Standing } from '../types.ts';

const seen = (as: Standing) => ({ type: 'isObserved', params: { as } }) as const;
const STAYS = { guard: 'isSyncOp', actions: rememberObserved } as const;

/** Where a reading leads from a state in which containers may be used. */
const fromUsable = (here: Standing) => [
  ...(['none', 'trialing', 'active', 'past_due'] as const)
    .filter((there) => there !== here)
    .map((there) => ({
      guard: seen(there),
      target: `#subscription.standing.${there}` as const,
      actions: rememberObserved,
    })),
  {
    // What had ended before was let go on for nothing then: that the default plan is smaller by now
    // is no reason to stop it.
    guard: 'isNewlyEnded' as const,
    target: '#subscription.standing.canceled' as const,
    actions: [rememberObserved, ...suspend],
  },
  STAYS,
];

/**
 * From one in which they may not: only what is paid for opens them again. Another subscription that
 * is behind was paid for once, which we may not have seen: it has its time like every other.
 */
const paid = [
  ...(['trialing', 'active'] as const).map((there) => ({
    guard: seen(there),
    target: `#subscription.standing.${there}` as const,
    actions: [rememberObserved, ...restore],
  })),
  {
    guard: 'isAnotherBehind' as const,
    target: '#subscription.standing.past_due' as const,
    actions: [rememberObserved, settle, ...restore],
  },
  // It has ended, and what is in use is within what costs nothing: there is nothing to pay for.
  {
    guard: 'isFree' as const,
    target: '#subscription.standing.none' as const,
    actions: [rememberObserved, ...restore],
  },
];
/** Blocked as before, with a time that begins anew. */
const blocked = (...actions: readonly (typeof keepAnew | typeof tellSuspended)[]) => {
  const again = { reenter: true, actions: [keepAnew, ...actions] };
  return [
    { guard: 'isEnded' as const, target: '#subscription.standing.canceled' as const, ...again },
    { target: '#subscription.standing.suspended' as const, ...again },
  ];
};
const fromBlocked = (...more: { guard: ReturnType<typeof seen>; target: string }[]) => [
  ...paid,
  ...more.map((one) => ({ ...one, actions: rememberObserved })),
  STAYS,
];

/**
 * Standing: what Stripe says, and what follows from it. A payment that fails is waited for; then
 * containers are stopped and kept, and in the end deleted. Nothing here is believed of Stripe but
 * what was read from it in a call of ours.
 */
export const standing = subscriptionSetup.createStateConfig({
  initial: 'none',
  states: {
    none: {
      description: 'Nothing is paid for: what the default plan includes may be used',
      entry: settle,
      on: { 'subscription.observed': fromUsable('none') },
    },
    trialing: {
      description: 'Tried for nothing, until the trial ends',
      entry: settle,
      on: { 'subscription.observed': fromUsable('trialing') },
    },
    active: {
      description: 'Paid for',
      entry: settle,
      on: { 'subscription.observed': fromUsable('active') },
    },
    past_due: {
      description: 'A payment has failed, and is waited for',
      tags: 'transient',
      entry: fallDue,
      on: { 'subscription.observed': fromUsable('past_due') },
      after: { graceDeadline: { target: 'suspended', actions: suspend } },
    },
    suspended: {
      description: 'A payment is due for too long: containers are stopped and kept',
      tags: 'transient',
      on: {
        'subscription.observed': fromBlocked({
          guard: seen('canceled'),
          target: '#subscription.standing.canceled',
        }),
        'owner.charged': blocked(tellSuspended),
      },
      after: { keepDeadline: { guard: 'mayExpire', target: 'expiring' } },
    },
    canceled: {
      description: 'It has ended: containers are stopped and kept',
      tags: 'transient',
      on: { 'subscription.observed': fromBlocked(), 'owner.charged': blocked(tellSuspended) },
      after: { keepDeadline: { guard: 'mayExpire', target: 'expiring' } },
    },
    expiring: {
      description: 'Kept long enough: Stripe is asked once more whether nobody has paid',
      entry: checkOnce,
      on: {
        'subscription.observed': [
          ...paid,
          {
            guard: 'isChecked',
            target: '#subscription.standing.expired',
            actions: rememberObserved,
          },
          STAYS,
        ],
        'owner.exempted': blocked(),
      },
    },
    expired: {
      description: 'Nobody has paid: containers are deleted, and Stripe charges no more',
      entry: expire,
      on: { 'subscription.observed': fromBlocked(), 'owner.charged': blocked(tellSuspended) },
    },
  },
});
