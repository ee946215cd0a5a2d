import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import { subscriptionOf } from '../../machines/index.ts';
import type { Customers } from '../../storage/customers.ts';
import type { StripeEvents } from '../../storage/stripe-events.ts';
import { inTurn } from '../in-turn.ts';

const PAGE_MAX = 200;

/** What may have changed what a customer pays for. All else is kept, and nothing follows from it. */
const MATTERS = /^(customer\.subscription\.|invoice\.|checkout\.session\.|subscription_schedule\.)/;

interface Dependencies {
  readonly events: Pick<StripeEvents, 'listReceived' | 'settle'>;
  readonly customers: Pick<Customers, 'findByCustomerIds'>;
  readonly actors: Pick<ActorSystem, 'tell'>;
}

/**
 * An event is only a reason to look: what it says may be old by now, so the actor reads Stripe
 * itself. Hence events may come twice and in any order, and those of one customer that wait here
 * together need one look. It is settled after the actor was told: whoever dies in between tells
 * again, which changes nothing.
 */
export function createStripeEventsSweep({ events, customers, actors }: Dependencies) {
  /** false: nobody of ours. */
  async function tell(userId: string, why: string): Promise<boolean> {
    try {
      await actors.tell(subscriptionOf(userId), { type: 'stripe.changed', why });
      return true;
    } catch (error) {
      // It was made by hand at Stripe, or the customer is just being enrolled: the comparison of
      // all subscriptions finds what is left.
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  async function take(page: Awaited<ReturnType<StripeEvents['listReceived']>>): Promise<void> {
    const matter = page.filter(({ type, customerId }) => customerId !== null && MATTERS.test(type));
    const byCustomer = Map.groupBy(matter, ({ customerId }) => customerId ?? '');
    const known = await customers.findByCustomerIds([...byCustomer.keys()]);
    const ignored = new Set(page.map(({ id }) => id));
    try {
      await inTurn(known, async ({ userId, customerId }) => {
        const group = byCustomer.get(customerId ?? '') ?? [];
        const ids = group.map(({ id }) => id);
        const isOurs = await tell(userId, group.at(-1)?.type ?? '').catch((error: unknown) => {
          for (const id of ids) ignored.delete(id);
          throw error;
        });
        if (!isOurs) return;
        for (const id of ids) ignored.delete(id);
        await events.settle(ids, 'processed');
      });
    } finally {
      await events.settle([...ignored], 'ignored');
    }
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    const failures: unknown[] = [];
    for (let after = ''; !shutdown.aborted; ) {
      const page = await events.listReceived({ after, limit: PAGE_MAX });
      // Those of a customer whose actor cannot be told now stay, and keep nobody else's waiting.
      await take(page).catch((error: unknown) => failures.push(error));
      const last = page.at(-1);
      if (!last || page.length < PAGE_MAX) break;
      after = last.id;
    }
    if (failures.length > 0) throw failures[0];
  };
}
