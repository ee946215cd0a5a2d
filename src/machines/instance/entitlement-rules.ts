import type { InstanceContext, InstanceEvent } from './types.ts';

interface Scope {
  readonly context: InstanceContext;
  readonly event: InstanceEvent;
}

/** Guards that look at what an instance heard of payments and at nothing else. */
export const ENTITLEMENT_RULES = {
  isNewDecision: ({ context, event }: Scope) =>
    (event.type === 'entitlement.suspended' || event.type === 'entitlement.restored') &&
    event.order > context.entitlement.order,
  isEntitled: ({ context }: Scope) => context.entitlement.suspendedAt === null,
  wasMeantToRun: ({ context }: Scope) => context.entitlement.wantsRunning,
};
