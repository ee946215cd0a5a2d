import type { ActorSystem } from '../../actors/system.ts';
import type { StripeClient } from '../../clients/stripe/client.ts';
import type { ObservedSubscription } from '../../clients/stripe/observe.ts';
import { NotFoundError } from '../../errors.ts';
import type { Observed, SubscriptionEffect } from '../../machines/subscription/types.ts';
import type { Audit, AuditEntry } from '../../storage/audit.ts';
import { type Customers, isWithin, type Use } from '../../storage/customers.ts';
import type { MailContent, MailOrder } from '../../storage/mail-order.ts';
import type { ListedPlan, Plans } from '../../storage/plans.ts';
import { inTurn } from '../in-turn.ts';
import type { SubscriptionPerformers } from './performer.ts';

export interface BillingOptions {
  readonly stripe: Pick<
    StripeClient,
    'readSubscription' | 'upgrade' | 'scheduleDowngrade' | 'cancelPending' | 'cancelUnpaid'
  >;
  readonly plans: Pick<Plans, 'list'>;
  readonly customers: Pick<Customers, 'find' | 'listInstanceIds' | 'useOf'>;
  readonly actors: Pick<ActorSystem, 'ask' | 'tell'>;
  readonly audit: Pick<Audit, 'writeOnce'>;
  /** Once for each key. */
  readonly sendMail: (order: MailOrder) => Promise<void>;
}

const LIVING = ['trialing', 'active', 'past_due', 'unpaid', 'paused'];

/** How what subscriptions ask for is performed. Each may be performed twice and happens once. */
export function createBillingPerformers(options: BillingOptions): SubscriptionPerformers {
  const { stripe, plans, customers, actors, audit, sendMail } = options;
  const tell = createDecisions(actors);
  /** What was made since it was asked for would be left over when the smaller plan begins. */
  async function isTooMuch(userId: string, price: string): Promise<boolean> {
    const [all, used] = await Promise.all([plans.list(), customers.useOf(userId)]);
    const plan = all.find(({ priceIds }) => priceIds.includes(price));
    return plan !== undefined && !isWithin(used, plan);
  }
  const note = createNotes(audit);
  const done = ({ opId }: { readonly opId: string }) => ({ type: 'effect.done', opId }) as const;
  return {
    async 'stripe.read'({ opId, customerId, userId }, { signal }) {
      const found = await stripe.readSubscription(customerId, signal);
      const observed = found && translate(found, await plans.list(), await customers.useOf(userId));
      if (observed?.exceedsPlan) await note.exceeded(userId, observed);
      if (found && LIVING.includes(found.status) && observed?.planId === null)
        await note.unpriced(userId, found);
      return { type: 'subscription.observed', opId, observed };
    },
    async 'stripe.change'({ opId, userId, subscriptionId, change, priceId, key }) {
      if (change === 'downgrade' && priceId !== null && (await isTooMuch(userId, priceId))) {
        const message = 'more is in use by now than the plan includes';
        return { type: 'effect.failed', opId, code: 'exceeds_use', message, retryable: false };
      }
      if (change === 'keep') await stripe.cancelPending({ subscriptionId, key });
      else if (change === 'downgrade') {
        await stripe.scheduleDowngrade({ subscriptionId, priceId, key });
      } else await stripe.upgrade({ subscriptionId, priceId: priceId ?? '', key });
      await note.changed(userId, { key, change, priceId });
      return { type: 'change.made', opId };
    },
    async 'billing.mail'(effect) {
      const customer = await customers.find(effect.userId);
      if (customer && customer.role !== 'admin') {
        await sendMail({ key: effect.key, recipient: customer.email, ...contentOf(effect) });
      }
      return done(effect);
    },
    async 'billing.apply'(effect, { signal }) {
      const { userId, order, reason } = effect;
      const ids = await customers.listInstanceIds(userId);
      await inTurn(ids, (id) => tell(id, { reason, order }), signal);
      const action = reason === null ? 'containers.restored' : 'containers.suspended';
      await note.decided(effect, { action, reason, containers: ids.length });
      return done(effect);
    },
    async 'billing.expire'(effect, { signal }) {
      const { userId, order } = effect;
      const customer = await customers.find(userId);
      // Made an administrator a moment ago; a deletion cannot be taken back.
      if (customer?.role === 'admin') return done(effect);
      const ids = await customers.listInstanceIds(userId);
      await inTurn(ids, (id) => removeExpired(actors, id, order), signal);
      await note.decided(effect, { action: 'containers.expired', containers: ids.length });
      return done(effect);
    },
    async 'billing.cancel'(effect) {
      const { id, order, subscriptionId } = effect;
      if (subscriptionId === null) return done(effect);
      const isOver = await stripe.cancelUnpaid({ subscriptionId, key: `cancel/${id}/${order}` });
      if (isOver) await note.decided(effect, { action: 'subscription.canceled', subscriptionId });
      return done(effect);
    },
  };
}

/** What happens to containers and money by itself is in the audit, once, as what people do is. */
function createNotes(audit: BillingOptions['audit']) {
  const entry = (userId: string, action: string, detail: AuditEntry['detail']) => ({
    ...{ actorId: null, subjectId: userId, action, outcome: 'done' as const, ip: null, detail },
  });
  return {
    changed: (
      userId: string,
      { key, ...detail }: { key: string; change: string; priceId: string | null },
    ) => audit.writeOnce(`plan.changed/${key}`, entry(userId, 'plan.changed', detail)),
    decided: (
      { id, userId, order }: SubscriptionEffect & { readonly order: number },
      { action, ...detail }: AuditEntry['detail'] & { readonly action: string },
    ): Promise<void> =>
      audit.writeOnce(`${action}/${id}/${order}`, entry(userId, action, { order, ...detail })),
    unpriced: (userId: string, { subscriptionId, priceId }: ObservedSubscription): Promise<void> =>
      audit.writeOnce(
        `price.unknown/${subscriptionId}/${priceId}`,
        entry(userId, 'price.unknown', { priceId }),
      ),
    exceeded: (userId: string, { subscriptionId, planId, periodEnd }: Observed): Promise<void> =>
      audit.writeOnce(
        `plan.exceeded/${subscriptionId}/${planId}/${periodEnd}`,
        entry(userId, 'plan.exceeded', { planId }),
      ),
  };
}

function contentOf({ mail }: Extract<SubscriptionEffect, { kind: 'billing.mail' }>): MailContent {
  const dated = (at: number) => new Date(at).toISOString();
  switch (mail.kind) {
    case 'payment_failed':
      return { ...mail, params: { ...mail.params, suspendAt: dated(mail.params.suspendAt) } };
    case 'suspended':
      return { ...mail, params: { ...mail.params, keptUntil: dated(mail.params.keptUntil) } };
    case 'restored':
      return mail;
  }
}

/** Tells an instance what was decided on it; an older decision changes nothing there. */
export function createDecisions(actors: Pick<ActorSystem, 'tell'>) {
  return async (
    id: string,
    { reason, order }: { reason: string | null; order: number },
  ): Promise<void> => {
    const event =
      reason === null
        ? { type: 'entitlement.restored', order }
        : { type: 'entitlement.suspended', reason, order };
    try {
      await actors.tell({ kind: 'instance', id }, event, { eventId: `entitlement/${order}` });
    } catch (error) {
      // It has been deleted meanwhile.
      if (!(error instanceof NotFoundError)) throw error;
    }
  };
}

/** Deletes an instance that nobody has paid for: once, however often it is asked. */
export async function removeExpired(
  actors: Pick<ActorSystem, 'ask'>,
  id: string,
  order: number,
): Promise<void> {
  const wish = { type: 'delete.requested', force: true, requestedBy: 'billing' };
  const operationId = `op-expiry-${order}`;
  try {
    const eventId = `expiry/${order}`;
    await actors.ask({ kind: 'instance', id }, { ...wish, operationId }, { eventId });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

/** From prices to plans, with whether what is in use is within them. */
function translate(
  { priceId, pending, ...rest }: ObservedSubscription,
  plans: readonly ListedPlan[],
  used: Use,
): Observed {
  const planOf = (price: string | null) =>
    (price !== null && plans.find(({ priceIds }) => priceIds.includes(price))?.id) || null;
  const planId = planOf(priceId);
  const isOver = rest.status === 'canceled';
  const counts = plans.find(({ id, isDefault }) => (isOver ? isDefault : id === planId));
  const fits = counts && isWithin(used, counts);
  return {
    ...rest,
    planId,
    pending: pending && { planId: planOf(pending.priceId), at: pending.at },
    ...(isOver && fits && { fitsDefault: true }),
    ...(!isOver && counts && !fits && { exceedsPlan: true }),
  };
}
