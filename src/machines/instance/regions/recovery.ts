import { not, or } from 'xstate';

import { instanceSetup, recentRestarts } from '../setup.ts';
import { atOf, beginAgentOp, releaseAgentLane } from '../steps.ts';

const countRestart = instanceSetup.assign({
  restartedAt: ({ context, event }) => [...recentRestarts(context, event), atOf(event)],
});

/**
 * Recovery: what is done about a game that has died. The agent region says that it did; this one
 * has it started again, a few times within a while, and then leaves it to people.
 */
export const recovery = instanceSetup.createStateConfig({
  initial: 'idle',
  states: {
    idle: {
      description: 'Nothing is to be done',
      always: [
        { guard: 'mayRecover', target: 'restarting' },
        { guard: 'mustGiveUp', target: 'exhausted' },
      ],
    },
    restarting: {
      description: 'The agent is told to start the game again',
      tags: 'transient',
      entry: [
        countRestart,
        ...beginAgentOp('restart', 'agent.restart', ({ ip }) => ({ ip: ip ?? '' })),
      ],
      exit: releaseAgentLane,
      always: { guard: or([not('isCrashed'), 'isDoomed']), target: 'idle' },
      on: {
        'agent.restarted': { guard: 'isAgentOp', target: 'settling' },
        'effect.failed': { guard: 'isAgentOp', target: 'settling' },
      },
      after: { recoverDeadline: 'settling' },
    },
    settling: {
      description: 'Has it helped? A game that dies again at once is started again',
      tags: 'transient',
      always: { guard: or([not('isCrashed'), 'isDoomed']), target: 'idle' },
      on: { 'agent.observed': { guard: 'isAnotherCrash', target: 'idle' } },
      after: { recoverSettle: 'idle' },
    },
    exhausted: {
      description: 'It died too often within too short a time: somebody has to look at it',
      always: { guard: or([not('isCrashed'), 'isDoomed']), target: 'idle' },
    },
  },
});
