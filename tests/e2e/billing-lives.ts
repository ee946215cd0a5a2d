import type { StripeWorld } from '../clients/stripe-world.ts';
import { DAY_MS } from '../clients/stripe-world.ts';
import { press } from '../support/form.ts';

/** What a customer does at Stripe. */
type Deed =
  | readonly ['buys', 'small' | 'medium' | 'large']
  | readonly ['tries', 'small']
  | readonly ['looks']
  | readonly ['upgrades' | 'downgrades', 'small' | 'medium' | 'large' | null]
  | readonly ['keeps']
  | readonly ['card', 'good' | 'declining']
  | readonly ['pays'];

/** By round, of which each is followed by sixteen days. */
type Life = Readonly<Record<number, readonly Deed[]>>;

const ROUND_MS = 16 * DAY_MS;
/** Its deeds have no time after them: what they have begun is still on its way at the end. */
export const LAST_ROUND = 8;

/**
 * A month is over just before rounds 2, 4, 6 and 8. What cannot be paid then is tried again for nine
 * days, after which Stripe ends the subscription.
 */
const LIVES: readonly Life[] = [
  { 0: [['buys', 'small']] },
  { 0: [['buys', 'large']], 3: [['card', 'declining']], 4: [['card', 'good'], ['pays']] },
  { 0: [['buys', 'small']], 1: [['upgrades', 'medium']], 2: [['upgrades', 'large']] },
  { 0: [['buys', 'small']], 1: [['upgrades', 'large']], 3: [['downgrades', 'medium']] },
  { 0: [['buys', 'large']], 1: [['downgrades', 'small'], ['keeps']], 8: [['downgrades', 'small']] },
  { 0: [['buys', 'medium']], 1: [['card', 'declining']] },
  {
    0: [['buys', 'medium']],
    1: [['card', 'declining']],
    2: [['card', 'good'], ['pays'], ['upgrades', 'large']],
    7: [['card', 'declining']],
  },
  { 0: [['buys', 'medium']], 1: [['card', 'declining']], 5: [['buys', 'small']] },
  {
    0: [['buys', 'small']],
    1: [['card', 'declining']],
    6: [['buys', 'large']],
    7: [['card', 'declining']],
  },
  { 0: [['buys', 'small']], 2: [['downgrades', null]] },
  { 0: [['buys', 'small']], 2: [['downgrades', null]], 5: [['buys', 'medium']] },
  { 0: [['buys', 'medium']], 3: [['downgrades', null], ['keeps']], 8: [['downgrades', null]] },
  { 0: [['tries', 'small']], 3: [['upgrades', 'large']] },
  { 0: [['looks']], 8: [['tries', 'small']] },
  { 0: [['looks']] },
  { 1: [['buys', 'large']], 3: [['downgrades', 'medium']], 5: [['downgrades', 'small']] },
  { 1: [['buys', 'small']], 2: [['card', 'declining']], 4: [['buys', 'medium']] },
  {
    2: [['buys', 'small']],
    4: [['upgrades', 'medium']],
    6: [['upgrades', 'large']],
    8: [['keeps']],
  },
];

export const CUSTOMERS = LIVES.map((_, n) => `u-${String(n).padStart(2, '0')}`);

/** Lets all customers live one round, one after the other, and then the time pass. */
export async function live(
  stripe: StripeWorld,
  round: number,
  customerIds: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [n, life] of LIVES.entries()) {
    const userId = CUSTOMERS[n] ?? '';
    for (const [index, deed] of (life[round] ?? []).entries()) {
      const key = `${userId}/${round}/${index}`;
      await perform(stripe, deed, { customerId: customerIds.get(userId) ?? '', key });
    }
  }
  if (round < LAST_ROUND) stripe.lab.advance(ROUND_MS);
}

async function perform(
  { client, lab, sdk }: StripeWorld,
  [verb, what]: Deed,
  { customerId, key }: { readonly customerId: string; readonly key: string },
): Promise<void> {
  const subscriptionId = async () =>
    (await client.readSubscription(customerId))?.subscriptionId ?? '';
  const page = async (priceId: string) => {
    const urls = { successUrl: 'https://portal.test/1', cancelUrl: 'https://portal.test/2' };
    return (await client.createCheckout({ customerId, priceId, ...urls, key }))?.url ?? '';
  };
  switch (verb) {
    case 'buys':
      await press(await page(`price_${what}`), 'Pay');
      return;
    case 'tries': {
      const items = [{ price: `price_${what}` }];
      lab.setCard(customerId, 'good');
      await sdk.subscriptions.create({ customer: customerId, items, trial_period_days: 14 });
      return;
    }
    case 'looks':
      await page('price_small');
      return;
    case 'upgrades':
      return client.upgrade({
        ...{ subscriptionId: await subscriptionId(), priceId: `price_${what}`, key },
      });
    case 'downgrades':
      return client.scheduleDowngrade({
        ...{ subscriptionId: await subscriptionId(), priceId: what && `price_${what}`, key },
      });
    case 'keeps':
      return client.cancelPending({ subscriptionId: await subscriptionId(), key });
    case 'card':
      return lab.setCard(customerId, what);
    case 'pays': {
      const returnUrl = 'https://portal.test/';
      await press(
        (await client.createPortalSession({ customerId, returnUrl })).url,
        'Pay what is owed',
      );
    }
  }
}
