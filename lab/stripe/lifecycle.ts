import type { Account } from './account.ts';
import type { Schedule, Subscription } from './state.ts';
import { scheduleView, subscriptionView } from './views.ts';

/** How a subscription and its schedule get from one state to the next, and who hears of it. */

export const isOver = ({ status }: Subscription): boolean =>
  status === 'canceled' || status === 'incomplete_expired';

/** What the change leaves as it was is not told. */
export function tellUpdate(account: Account, one: Subscription, change: () => void): void {
  const before: Record<string, unknown> = subscriptionView(account, one);
  change();
  const after: Record<string, unknown> = subscriptionView(account, one);
  const previous = Object.entries(before).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(after[name]),
  );
  if (previous.length === 0) return;
  account.emit('customer.subscription.updated', after, Object.fromEntries(previous));
}

export function setStatus(
  account: Account,
  one: Subscription,
  status: Subscription['status'],
): void {
  tellUpdate(account, one, () => {
    one.status = status;
  });
}

export function endSubscription(
  account: Account,
  one: Subscription,
  reason: 'cancellation_requested' | 'payment_failed',
): void {
  const now = account.now();
  const schedule = scheduleOf(account, one);
  if (schedule)
    endSchedule(account, schedule, schedule.endBehaviour === 'cancel' ? 'completed' : 'canceled');
  one.status = 'canceled';
  one.canceledAt ??= now;
  one.endedAt = now;
  one.endReason = reason;
  one.pendingLines = [];
  for (const invoice of account.state.invoices)
    if (invoice.subscription === one.id) invoice.nextAttempt = null;
  account.emit('customer.subscription.deleted', subscriptionView(account, one));
}

export const scheduleOf = ({ state }: Account, one: Subscription): Schedule | undefined =>
  state.schedules.find(({ id }) => id === one.schedule);

/** It has nothing more to say about its subscription. */
export function endSchedule(
  account: Account,
  one: Schedule,
  status: Exclude<Schedule['status'], 'active'>,
): void {
  const subscription = account.state.subscriptions.find(({ id }) => id === one.subscription);
  one.status = status;
  one.endedAt = account.now();
  if (status === 'released') {
    one.releasedSubscription = one.subscription;
    one.subscription = null;
  }
  if (subscription && !isOver(subscription))
    tellUpdate(account, subscription, () => {
      subscription.schedule = null;
    });
  account.emit(`subscription_schedule.${status}`, scheduleView(one));
}
