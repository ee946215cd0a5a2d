import { subscriptionSetup } from '../setup.ts';
import { beginReading, freeLane, markStale, resetAttempts } from '../steps.ts';

/**
 * Sync: what Stripe tells us is only a reason to look. One reading is in flight at a time, and one
 * that something has overtaken is done again: events may come twice, late, or in any order.
 */
export const sync = subscriptionSetup.createStateConfig({
  initial: 'idle',
  states: {
    idle: {
      description: 'As new as what Stripe has told us',
      always: { guard: 'isStale', target: 'reading' },
      on: {
        'stripe.changed': 'reading',
        'change.made': { guard: 'isChangeOp', target: 'reading' },
        'effect.failed': { guard: 'isChangeOp', target: 'reading' },
      },
    },
    reading: {
      description: 'Stripe is asked',
      tags: 'transient',
      entry: beginReading,
      on: {
        'stripe.changed': [{ guard: 'isStale', actions: [] }, { actions: markStale }],
        'change.made': { guard: 'isChangeOp', actions: markStale },
        'subscription.observed': {
          guard: 'isSyncOp',
          target: 'read',
          actions: [freeLane('sync'), resetAttempts('sync')],
        },
        'effect.failed': [
          { guard: 'isSyncOp', target: 'pausing' },
          { guard: 'isChangeOp', actions: markStale },
        ],
      },
      after: { readDeadline: 'pausing' },
    },
    read: {
      description: 'What was read is known; was it overtaken?',
      always: [{ guard: 'isStale', target: 'reading' }, { target: 'idle' }],
    },
    pausing: {
      description: 'Stripe did not answer; it is asked again in a moment',
      tags: 'transient',
      entry: freeLane('sync'),
      after: { syncPause: 'reading' },
    },
  },
});
