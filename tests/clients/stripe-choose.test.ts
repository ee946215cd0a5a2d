import { expect, test } from 'vitest';

import { chooseSubscription, type Subscription } from '../../src/clients/stripe/observe.ts';

const one = (status: string, created: number) =>
  ({ id: `${status}-${created}`, status, created }) as unknown as Subscription;

test.each([
  ['what is paid for hid behind a later one that is not', ['active', 'past_due'], 'active-1'],
  ['a trial hid behind a later one that is behind', ['trialing', 'unpaid'], 'trialing-1'],
  [
    'what has ended hid behind a later one that was never paid',
    ['canceled', 'incomplete'],
    'canceled-1',
  ],
  [
    'what has ended hid behind a later one whose payment never came',
    ['canceled', 'incomplete_expired'],
    'canceled-1',
  ],
  ['of two that are paid for the latest counts', ['active', 'active'], 'active-2'],
  ['what lives counts before what has ended later', ['past_due', 'canceled'], 'past_due-1'],
])('%s', (_, statuses, expected) => {
  const all = statuses.map((status, index) => one(status, index + 1));

  expect(chooseSubscription(all)?.id).toBe(expected);
  expect(chooseSubscription(all.toReversed())?.id).toBe(expected);
});
