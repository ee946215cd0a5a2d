import type { SubscriptionContext, SubscriptionEffect } from './types.ts';

/**
 * Does anybody still wait for this effect? Readings and changes are fenced by their lane, decisions
 * on containers by their order; a mail that was asked for is sent.
 */
export function isAwaited(context: SubscriptionContext, effect: SubscriptionEffect): boolean {
  switch (effect.kind) {
    case 'stripe.read':
      return context.ops.sync?.id === effect.opId;
    case 'stripe.change':
      return context.ops.change?.id === effect.opId;
    case 'billing.mail':
      return true;
    case 'billing.apply':
    case 'billing.expire':
    case 'billing.cancel':
      return context.order === effect.order;
  }
}

/** What was decided is done, however long that takes: there is no state that could be told of it. */
export const isOwed = ({ kind }: SubscriptionEffect): boolean => kind.startsWith('billing.');

/** Why containers may not be used; null: they may. */
export const reasonOf = ({
  suspendedAt,
  observed,
  isExempt,
}: Pick<SubscriptionContext, 'suspendedAt' | 'observed' | 'isExempt'>): string | null => {
  if (suspendedAt === null || isExempt) return null;
  return observed?.status === 'canceled' ? 'subscription_ended' : 'payment_due';
};
