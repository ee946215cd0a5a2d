import type { ActorSystem } from '../../actors/system.ts';
import type { StripeClient } from '../../clients/stripe/client.ts';
import { ControlPlaneError } from '../../errors.ts';
import { subscriptionOf } from '../../machines/index.ts';
import type { BillingPolicy, SubscriptionInput } from '../../machines/subscription/types.ts';
import type { Customers } from '../../storage/customers.ts';
import type { Subscriptions } from '../../storage/subscriptions.ts';

interface Dependencies {
  readonly stripe: Pick<StripeClient, 'ensureCustomer'>;
  readonly customers: Pick<Customers, 'find' | 'keepCustomerId'>;
  readonly subscriptions: Pick<Subscriptions, 'create'>;
  readonly actors: Pick<ActorSystem, 'create'>;
  readonly policy: BillingPolicy;
  readonly now: () => number;
}

/**
 * Makes a user a customer: at Stripe, in our row, and as an actor, in this order. Whoever died in
 * between is repeated by the next request; each of the three is made once.
 */
export function createEnrollment(dependencies: Dependencies) {
  const { stripe, customers, subscriptions, actors, policy, now } = dependencies;
  return async (userId: string): Promise<string> => {
    const customer = await customers.find(userId);
    if (!customer) throw new ControlPlaneError('unauthenticated', 'this account is gone');
    const customerId =
      customer.customerId ??
      (await customers.keepCustomerId(userId, await stripe.ensureCustomer(customer)));
    const address = subscriptionOf(userId);
    const input: SubscriptionInput = { id: address.id, userId, customerId, policy, at: now() };
    await actors.create(address, input, (step) => subscriptions.create(userId, step));
    return customerId;
  };
}
