import { not } from 'xstate';

import { subscriptionSetup } from '../setup.ts';
import { remind } from '../steps.ts';

const settled = { guard: not('isPastDue'), target: 'quiet' } as const;

/** Reminders: while a payment is waited for, its owner hears of it, evenly spread over the time. */
export const reminders = subscriptionSetup.createStateConfig({
  initial: 'quiet',
  states: {
    quiet: {
      description: 'Nothing is due',
      always: { guard: 'isPastDue', target: 'reminding' },
    },
    reminding: {
      description: 'Reminded, and to be reminded again',
      tags: 'transient',
      entry: remind,
      always: [settled, { guard: 'hasReminded', target: 'reminded' }],
      after: { reminderPause: { target: 'reminding', reenter: true } },
    },
    reminded: {
      description: 'Reminded often enough',
      always: settled,
    },
  },
});
