import { subscriptionSetup } from '../setup.ts';
import { decideAnew } from '../steps.ts';

/**
 * Exemption: administrators pay nothing, whatever Stripe says of them. Whoever becomes one, or is
 * one no longer, has the containers decided on anew.
 */
export const exemption = subscriptionSetup.createStateConfig({
  initial: 'liable',
  states: {
    liable: {
      description: 'The owner pays like everybody',
      on: { 'owner.exempted': { target: 'exempt', actions: decideAnew(true) } },
    },
    exempt: {
      description: 'The owner is an administrator, who pays nothing',
      on: { 'owner.charged': { target: 'liable', actions: decideAnew(false) } },
    },
  },
});
