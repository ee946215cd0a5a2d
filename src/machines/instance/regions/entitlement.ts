import { and } from 'xstate';

import { instanceSetup } from '../setup.ts';
import { atOf } from '../steps.ts';
import type { InstanceContext, InstanceEvent } from '../types.ts';

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

const orderOf = ({ context, event }: Scope) =>
  event.type === 'entitlement.suspended' || event.type === 'entitlement.restored'
    ? event.order
    : context.entitlement.order;

/** `wantsRunning`: what its owner had wanted of its power, which nobody else may decide. */
const suspend = (wantsRunning: boolean) =>
  instanceSetup.assign({
    entitlement: ({ context, event }) => ({
      order: orderOf({ context, event }),
      suspendedAt: atOf(event),
      reason: event.type === 'entitlement.suspended' ? event.reason : null,
      wantsRunning,
    }),
  });

const restore = instanceSetup.assign({
  entitlement: ({ context, event }) => ({
    ...context.entitlement,
    order: orderOf({ context, event }),
    suspendedAt: null,
    reason: null,
  }),
});

/** What changes nothing is remembered all the same: what was decided before it is old news. */
const note = instanceSetup.assign({
  entitlement: ({ context, event }) => ({
    ...context.entitlement,
    order: orderOf({ context, event }),
  }),
});
const noted = { guard: 'isNewDecision', actions: note } as const;

/**
 * Entitlement: may its owner use it? What is not paid for is stopped and kept, and what ran before
 * runs again when that is over. Power itself belongs to the host region, which looks here.
 */
export const entitlement = instanceSetup.createStateConfig({
  initial: 'granted',
  states: {
    granted: {
      description: 'Its owner may use it',
      on: {
        'entitlement.suspended': [
          {
            guard: and(['isNewDecision', 'isMeantToRun']),
            target: 'suspended',
            actions: suspend(true),
          },
          { guard: 'isNewDecision', target: 'suspended', actions: suspend(false) },
        ],
        'entitlement.restored': noted,
      },
    },
    suspended: {
      description: 'Not paid for: it is stopped and kept, and cannot be started',
      on: {
        'entitlement.restored': [
          {
            guard: and(['isNewDecision', 'wasMeantToRun']),
            target: 'resuming',
            actions: restore,
          },
          { guard: 'isNewDecision', target: 'granted', actions: restore },
        ],
        'entitlement.suspended': noted,
      },
    },
    resuming: {
      description: 'Paid for again: it is started, because it ran before',
      tags: 'transient',
      always: { guard: 'isResumed', target: 'granted' },
      on: {
        'entitlement.suspended': {
          guard: 'isNewDecision',
          target: 'suspended',
          actions: suspend(true),
        },
        'entitlement.restored': noted,
      },
      // A node may be away for hours: it is owed what it paid for until then, too.
      after: { resumeDeadline: { target: 'resuming', reenter: true } },
    },
  },
});
