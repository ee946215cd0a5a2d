import { ControlPlaneError } from '../../src/errors.ts';
import { createStandings } from '../../src/http/billing/standing.ts';
import { viewBilling } from '../../src/http/billing/views.ts';
import { subscriptionMachine } from '../../src/machines/subscription/machine.ts';
import { allowedActions } from '../../src/machines/subscription/wishes.ts';
import {
  type SubscriptionSnapshot,
  sampleSubscription,
  subscriptionEvents,
} from '../../tests/support/subscription-model.ts';
import type { Sights } from './state-rows.ts';
import { birthOf, meetFromEither, type Walk, walkFrom } from './walk.ts';

const walk: Walk<SubscriptionSnapshot> = {
  machine: subscriptionMachine,
  events: subscriptionEvents,
  marksOf: ({ value, context }) => `${value.standing} ${context.reminded}`,
};

const PLAN = {
  ...{ id: 'free', name: 'Free', slots: 1, memoryMiB: 1_024, priceCents: 0, currency: 'eur' },
  ...{ position: 0, priceIds: [], stripePriceId: null, isDefault: true },
};
const NOTHING = { slots: 0, memoryMiB: 0 };

/** What the Portal is told of a customer in each state of the subscription's machine. */
export async function subscriptionSights(): Promise<Sights> {
  const born = birthOf(walk, sampleSubscription());
  const paid = walkFrom(walk, born).find(({ value: { standing, sync } }) => {
    return standing === 'active' && sync === 'idle';
  });
  if (!paid) throw new Error('no way leads to a subscription that is paid for');
  const met = meetFromEither(walk, [paid, born]);
  const sights = new Map<string, string>();
  for (const [id, snapshot] of met) sights.set(id, await describe(snapshot));
  return sights;
}

async function describe(snapshot: SubscriptionSnapshot): Promise<string> {
  const { context, value } = snapshot;
  const role = value.exemption === 'exempt' ? 'admin' : 'user';
  const row = { userId: context.userId, version: 1, status: value.standing, context };
  const standings = createStandings({
    plans: { list: async () => [PLAN] },
    customers: { find: async () => ({ role }) as never },
    subscriptions: { find: async () => row },
  });
  const billing = viewBilling(await standings.standingOf(context.userId), NOTHING);
  const { change, suspendedAt } = billing;
  const wishes = allowedActions(snapshot);
  return [
    `\`${billing.status}\``,
    ...(suspendedAt === null ? [] : ['suspended since a date, kept until another one']),
    ...(change?.state === 'running' ? [`${change.kind} ${change.state}`] : []),
    `orders: ${await ordersOf(() => standings.allowanceOf(context.userId))}`,
    `may: ${wishes.length === 0 ? 'nothing' : wishes.join(', ')}`,
  ].join('<br>');
}

async function ordersOf(ask: () => Promise<object | null>): Promise<string> {
  try {
    return (await ask()) === null ? 'as many as wanted' : 'as the plan allows';
  } catch (error) {
    if (error instanceof ControlPlaneError) return `refused, ${error.code}`;
    throw error;
  }
}
