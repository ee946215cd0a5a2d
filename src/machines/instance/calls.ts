import type { Effect, InstanceContext, Lane, Op } from './types.ts';

export const laneOf = (effect: Effect): Lane =>
  effect.kind.startsWith('agent.') ? 'agent' : 'host';

/** The call in flight that an effect belongs to; null once nobody waits for it any more. */
export function callOf(context: InstanceContext, effect: Effect): Op | null {
  const op = context.ops[laneOf(effect)];
  return op?.id === effect.opId ? op : null;
}
