import { subscriptionSetup } from '../setup.ts';
import {
  acceptChange,
  beginChange,
  endChange,
  freeLane,
  markStale,
  resetAttempts,
} from '../steps.ts';

/**
 * Change: another plan, at once or at the end of the period, or none of that after all. Stripe does
 * it; what came of it is read afterwards, also when the answer was lost.
 */
export const change = subscriptionSetup.createStateConfig({
  initial: 'idle',
  states: {
    idle: {
      description: 'Nothing is being changed',
      on: {
        'upgrade.requested': {
          guard: 'mayChange',
          target: 'changing',
          actions: acceptChange('upgrade'),
        },
        'downgrade.requested': {
          guard: 'mayChange',
          target: 'changing',
          actions: acceptChange('downgrade'),
        },
        'keep.requested': { guard: 'mayKeep', target: 'changing', actions: acceptChange('keep') },
      },
    },
    changing: {
      description: 'Stripe is asked to change the plan',
      tags: 'transient',
      entry: resetAttempts('change'),
      initial: 'performing',
      states: {
        performing: { entry: beginChange },
        pausing: { entry: freeLane('change'), after: { changePause: 'performing' } },
      },
      on: {
        'change.made': { guard: 'isChangeOp', target: 'idle', actions: endChange('succeeded') },
        'effect.failed': [
          { guard: 'mayRepeatChange', target: '.pausing' },
          { guard: 'isChangeOp', target: 'idle', actions: endChange('failed') },
        ],
      },
      after: { changeDeadline: { target: 'idle', actions: [...endChange('failed'), markStale] } },
    },
  },
});
