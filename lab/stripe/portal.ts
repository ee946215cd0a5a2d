import { z } from 'zod';

import { type Account, findCustomer } from './account.ts';
import { check, fields } from './form.ts';
import { attempt, openInvoices } from './invoices.ts';
import { endSchedule, isOver, scheduleOf, tellUpdate } from './lifecycle.ts';
import { declined, missing } from './refusal.ts';
import type { Route } from './route.ts';
import type { Subscription, Visit } from './state.ts';
import { visitView } from './views.ts';

export function findVisit({ state }: Account, id: string): Visit {
  const found = state.visits.find((one) => one.id === id);
  if (!found) throw missing('billing_portal.session', id);
  return found;
}

export const livingOf = ({ state }: Account, customerId: string): readonly Subscription[] =>
  state.subscriptions.filter((one) => one.customer === customerId && !isOver(one));

/** All that is owed; what the card does not pay stays owed. */
export function payOpen(account: Account, customerId: string): void {
  const outcomes = openInvoices(account, customerId).map((one) => attempt(account, one));
  if (outcomes.includes(false)) throw declined();
}

/** At the end of the period, or not after all. A plan for another price gives way. */
export function setEnding(account: Account, customerId: string, isEnding: boolean): void {
  for (const one of livingOf(account, customerId)) {
    const schedule = scheduleOf(account, one);
    if (isEnding && schedule) endSchedule(account, schedule, 'released');
    tellUpdate(account, one, () => {
      one.cancelAtPeriodEnd = isEnding;
      one.canceledAt = isEnding ? account.now() : null;
      one.endReason = isEnding ? 'cancellation_requested' : null;
    });
  }
}

const ordered = z.strictObject({
  customer: fields.text,
  return_url: z.url().optional(),
  configuration: fields.text.optional(),
  locale: fields.text.optional(),
  expand: fields.expand,
});

export const portalRoutes: readonly Route[] = [
  {
    on: 'POST /v1/billing_portal/sessions',
    run(account, { form }) {
      const { customer, return_url: returnUrl = null } = check(ordered, form);
      findCustomer(account, customer, 'customer');
      const id = account.newId('bps');
      const one: Visit = { id, created: account.now(), customer, returnUrl };
      account.state.visits.push(one);
      return visitView(account, one);
    },
  },
];
