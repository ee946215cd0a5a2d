import { change } from './regions/change.ts';
import { exemption } from './regions/exemption.ts';
import { reminders } from './regions/reminders.ts';
import { standing } from './regions/standing.ts';
import { sync } from './regions/sync.ts';
import { subscriptionSetup } from './setup.ts';

/**
 * What one customer pays for. The regions run side by side and never target each other's states:
 * what one needs of another it asks through a guard of setup.ts.
 */
export const subscriptionMachine = subscriptionSetup.createMachine({
  id: 'subscription',
  type: 'parallel',
  context: ({ input: { at: _, ...whose } }) => ({
    ...whose,
    observed: null,
    observedAt: null,
    opSeq: 0,
    ops: { sync: null, change: null },
    attempts: { sync: 0, change: 0 },
    isStale: false,
    change: null,
    pastDueSince: null,
    reminded: 0,
    suspendedAt: null,
    keptUntil: null,
    checkAfter: 0,
    order: 0,
    isExempt: false,
  }),
  states: { standing, sync, change, reminders, exemption },
  // An endless chain of `always` is a bug of ours: it must end as an error, not as a hang.
  options: { maxIterations: 100 },
});
