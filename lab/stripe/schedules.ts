import { z } from 'zod';

import { type Account, findPrice, findSchedule, findSubscription } from './account.ts';
import { addMonths } from './calendar.ts';
import { check, fields } from './form.ts';
import { endSchedule, endSubscription, isOver, tellUpdate } from './lifecycle.ts';
import { invalid } from './refusal.ts';
import type { Route } from './route.ts';
import type { Phase, Schedule, Subscription } from './state.ts';
import { changePrice } from './subscriptions.ts';
import { scheduleView } from './views.ts';

function createSchedule(account: Account, one: Subscription): Schedule {
  if (isOver(one)) throw invalid(`The subscription \`${one.id}\` has ended.`, 'from_subscription');
  if (one.schedule)
    throw invalid(
      `You cannot migrate a subscription that is already attached to a schedule: \`${one.schedule}\`.`,
      'from_subscription',
    );
  const schedule: Schedule = {
    id: account.newId('sub_sched'),
    created: account.now(),
    customer: one.customer,
    subscription: one.id,
    releasedSubscription: null,
    status: 'active',
    endBehaviour: one.cancelAtPeriodEnd ? 'cancel' : 'release',
    phases: [
      {
        start: one.periodStart,
        end: one.periodEnd,
        price: one.price,
        trialEnd: one.status === 'trialing' ? one.trialEnd : null,
        proration: 'create_prorations',
      },
    ],
    present: 0,
    endedAt: null,
    metadata: {},
  };
  account.state.schedules.push(schedule);
  tellUpdate(account, one, () => {
    one.schedule = schedule.id;
    one.cancelAtPeriodEnd = false;
  });
  account.emit('subscription_schedule.created', scheduleView(schedule));
  return schedule;
}

export function presentPhase({ phases, present }: Schedule): Phase {
  const phase = phases[present];
  if (!phase) throw new Error('a schedule without phases');
  return phase;
}

/** The present phase is over: the next begins, or the schedule ends. */
export function turnPhase(account: Account, schedule: Schedule): void {
  const one = findSubscription(account, schedule.subscription ?? '');
  const next = schedule.phases[schedule.present + 1];
  if (next) {
    schedule.present += 1;
    changePrice(account, one, { price: next.price, proration: next.proration });
    account.emit('subscription_schedule.updated', scheduleView(schedule));
  } else if (schedule.endBehaviour === 'release') endSchedule(account, schedule, 'released');
  else endSubscription(account, one, 'cancellation_requested');
}

const opened = z.strictObject({
  from_subscription: fields.text,
  metadata: fields.metadata.default({}),
  expand: fields.expand,
});
const proration = z.enum(['always_invoice', 'create_prorations', 'none']);
const phase = z
  .strictObject({
    items: z
      .array(
        z.strictObject({
          price: fields.text,
          quantity: z.literal('1').optional(),
          metadata: fields.metadata.optional(),
        }),
      )
      .length(1),
    start_date: fields.whole.optional(),
    end_date: fields.whole.optional(),
    duration: z
      .strictObject({
        interval: z.literal('month'),
        interval_count: fields.whole.min(1).default(1),
      })
      .optional(),
    trial_end: fields.whole.optional(),
    proration_behavior: proration.default('create_prorations'),
  })
  .refine((one) => (one.end_date === undefined) !== (one.duration === undefined), {
    error: 'a phase has an end_date or a duration',
  });
const changed = z.strictObject({
  phases: z.array(phase).min(1).max(10).optional(),
  end_behavior: z.enum(['release', 'cancel']).optional(),
  proration_behavior: proration.default('create_prorations'),
  metadata: fields.metadata.optional(),
  expand: fields.expand,
});
type Wanted = z.output<typeof phase>;

/** One phase begins where the other ends; the first goes on from where it is. */
function phasesOf(account: Account, schedule: Schedule, wanted: readonly Wanted[]): Phase[] {
  const now = account.now();
  const current = presentPhase(schedule);
  const [first] = wanted;
  if (first?.start_date === undefined)
    throw invalid('Missing required param: phases[0][start_date].', 'phases', 'parameter_missing');
  if (first.start_date !== current.start)
    throw invalid('You can not modify the start date of the current phase.', 'phases');
  let start = current.start;
  const phases = wanted.map((one): Phase => {
    const price = findPrice(account, one.items[0]?.price ?? '', 'phases[items][price]').id;
    const end = one.end_date ?? addMonths(start, one.duration?.interval_count ?? 1);
    if (one.start_date !== undefined && one.start_date !== start)
      throw invalid('The end date of a phase must be the start date of the next.', 'phases');
    if (end <= start || end <= now) throw invalid('A phase must end later than now.', 'phases');
    const trialEnd = one.trial_end ?? null;
    const made = { start, end, price, trialEnd, proration: one.proration_behavior };
    start = end;
    return made;
  });
  if ((phases[0]?.trialEnd ?? null) !== current.trialEnd)
    throw invalid('This account does not end a trial by a schedule.', 'phases[0][trial_end]');
  return phases;
}

function mustBeActive({ status }: Schedule, what: string): void {
  if (status !== 'active')
    throw invalid(
      `You cannot ${what} a subscription schedule that is currently in the \`${status}\` status.`,
    );
}

export const scheduleRoutes: readonly Route[] = [
  {
    on: 'POST /v1/subscription_schedules',
    run(account, { form }) {
      const { from_subscription: id, metadata } = check(opened, form);
      const one = findSubscription(account, id, 'from_subscription');
      const schedule = createSchedule(account, one);
      Object.assign(schedule.metadata, metadata);
      return scheduleView(schedule);
    },
  },
  {
    on: 'GET /v1/subscription_schedules/:id',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      return scheduleView(findSchedule(account, id));
    },
  },
  {
    on: 'POST /v1/subscription_schedules/:id',
    run(account, { id, form }) {
      const schedule = findSchedule(account, id);
      mustBeActive(schedule, 'update');
      const { phases, end_behavior, proration_behavior, metadata } = check(changed, form);
      const one = findSubscription(account, schedule.subscription ?? '');
      if (phases) {
        schedule.phases = phasesOf(account, schedule, phases);
        schedule.present = 0;
      }
      schedule.endBehaviour = end_behavior ?? schedule.endBehaviour;
      Object.assign(schedule.metadata, metadata);
      const { price } = presentPhase(schedule);
      changePrice(account, one, { price, proration: proration_behavior });
      account.emit('subscription_schedule.updated', scheduleView(schedule));
      return scheduleView(schedule);
    },
  },
  {
    on: 'POST /v1/subscription_schedules/:id/release',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      const schedule = findSchedule(account, id);
      mustBeActive(schedule, 'release');
      endSchedule(account, schedule, 'released');
      return scheduleView(schedule);
    },
  },
  {
    on: 'POST /v1/subscription_schedules/:id/cancel',
    run(account, { id, form }) {
      check(z.strictObject({ expand: fields.expand }), form);
      const schedule = findSchedule(account, id);
      mustBeActive(schedule, 'cancel');
      const one = findSubscription(account, schedule.subscription ?? '');
      endSubscription(account, one, 'cancellation_requested');
      return scheduleView(schedule);
    },
  },
];
