import type { Account } from './account.ts';
import { DAY_S, monthAfter } from './calendar.ts';
import { attempt, bill, periodLine } from './invoices.ts';
import { endSubscription, isOver, setStatus, tellUpdate } from './lifecycle.ts';
import { presentPhase, turnPhase } from './schedules.ts';
import type { State, Subscription } from './state.ts';
import { subscriptionView } from './views.ts';

const INCOMPLETE_S = 23 * 60 * 60;

/** What happens by itself when its time has come. */
interface Happening {
  readonly at: number;
  run(account: Account): void;
}

/** In the order in which they happen at one moment: a new price comes before the new period. */
function* happenings(account: Account): Generator<Happening> {
  const { schedules, subscriptions, invoices } = account.state;
  for (const schedule of schedules) {
    if (schedule.status !== 'active') continue;
    const { end } = presentPhase(schedule);
    yield { at: end, run: () => turnPhase(account, schedule) };
  }
  for (const one of subscriptions) if (!isOver(one)) yield* ofSubscription(account, one);
  for (const invoice of invoices)
    if (invoice.nextAttempt !== null)
      yield { at: invoice.nextAttempt, run: () => attempt(account, invoice) };
}

function* ofSubscription(account: Account, one: Subscription): Generator<Happening> {
  if (one.status === 'incomplete') {
    yield {
      at: one.created + INCOMPLETE_S,
      run: () => setStatus(account, one, 'incomplete_expired'),
    };
    return;
  }
  if (one.status === 'trialing' && !one.isTrialAnnounced)
    yield {
      at: Math.max(one.created, one.periodEnd - 3 * DAY_S),
      run: () => announceEnd(account, one),
    };
  if (one.cancelAt !== null)
    yield { at: one.cancelAt, run: () => endSubscription(account, one, 'cancellation_requested') };
  yield { at: one.periodEnd, run: () => turnPeriod(account, one) };
}

function announceEnd(account: Account, one: Subscription): void {
  one.isTrialAnnounced = true;
  account.emit('customer.subscription.trial_will_end', subscriptionView(account, one));
}

function turnPeriod(account: Account, one: Subscription): void {
  if (one.cancelAtPeriodEnd) {
    endSubscription(account, one, 'cancellation_requested');
    return;
  }
  tellUpdate(account, one, () => {
    if (one.status === 'trialing') one.status = 'active';
    one.periodStart = one.periodEnd;
    one.periodEnd = monthAfter(one.periodStart, one.anchor);
  });
  const lines = [...one.pendingLines, periodLine(account, one)];
  one.pendingLines = [];
  bill(account, one, { reason: 'subscription_cycle', lines });
}

export interface Clock {
  /** Unix seconds. */
  now(): number;
  /** Lets happen what is due by now. */
  settle(account: Account): void;
  /** All that lies between happens in its order, each at its own time. */
  advance(account: Account, ms: number): void;
}

export function createClock(state: Pick<State, 'aheadMs'>, realNow: () => number): Clock {
  let pinned: number | undefined;
  const present = () => Math.floor((realNow() + state.aheadMs) / 1000);

  function settle(account: Account): void {
    const until = present();
    try {
      for (;;) {
        const due = [...happenings(account)].filter(({ at }) => at <= until);
        const at = Math.min(...due.map((one) => one.at));
        const first = due.find((one) => one.at === at);
        if (!first) return;
        pinned = at;
        first.run(account);
      }
    } finally {
      pinned = undefined;
    }
  }

  return {
    now: () => pinned ?? present(),
    settle,
    advance(account, ms) {
      if (!(ms >= 0)) throw new Error('time does not go back');
      settle(account);
      state.aheadMs += ms;
      settle(account);
    },
  };
}
