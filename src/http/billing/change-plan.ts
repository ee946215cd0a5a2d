import type { ActorEvent } from '../../actors/address.ts';
import type { ActorSystem } from '../../actors/system.ts';
import { ConflictError, ControlPlaneError, NotFoundError } from '../../errors.ts';
import { subscriptionOf } from '../../machines/index.ts';
import type { PlanChange, SubscriptionContext } from '../../machines/subscription/types.ts';
import type { ChangeRefusal } from '../../machines/subscription/wishes.ts';
import { type Customers, isWithin, type Use } from '../../storage/customers.ts';
import type { InstanceStore } from '../../storage/instance-store.ts';
import type { Plan, Plans } from '../../storage/plans.ts';
import { fingerprintOf, keyReused, replayAnswer } from '../idempotency.ts';
import type { Waiting } from '../wait.ts';
import { limitsOf, type Standings } from './standing.ts';

/** What we refuse without asking the machine. */
export const PLAN_REASONS = [
  'exempt',
  'not_an_upgrade',
  'not_a_downgrade',
  'exceeds_use',
  'already_subscribed',
  'payment_refused',
] as const;
type Reason = ChangeRefusal | (typeof PLAN_REASONS)[number];

export const refusePlan = (
  reason: Reason,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): ConflictError =>
  new ConflictError(message, { code: 'plan_change_refused', details: { reason, ...details } });

/** A change that is not made by then is followed by `GET /api/billing`. */
const WAIT_S = 20;

interface Dependencies {
  readonly actors: Pick<ActorSystem, 'ask' | 'read'>;
  readonly answers: Pick<InstanceStore, 'findAnswer'>;
  readonly plans: Pick<Plans, 'list'>;
  readonly customers: Pick<Customers, 'useOf'>;
  readonly standings: Pick<Standings, 'standingOf'>;
  readonly waiting: Waiting;
  readonly randomId: () => string;
}

interface ChangeRequest {
  readonly userId: string;
  readonly kind: 'upgrade' | 'downgrade' | 'keep';
  /** null: to the plan of whoever pays nothing. */
  readonly planId: string | null;
  readonly idempotencyKey: string | null;
  readonly signal: AbortSignal;
}

/** @throws ConflictError `plan_change_refused`, because more is in use than the plan includes */
export function requireFit(used: Use, plan: Plan): void {
  const limits = limitsOf(plan);
  if (isWithin(used, limits)) return;
  throw refusePlan(
    'exceeds_use',
    `${used.slots} containers with ${used.memoryMiB} MiB are in use, and the plan includes ` +
      `${limits.slots} with ${limits.memoryMiB} MiB`,
    { used, limits },
  );
}

/** Which plan is meant, and may it be? What only Stripe knows, the machine decides. */
function createPlanChoice({
  standings,
  plans,
  customers,
}: Pick<Dependencies, 'standings' | 'plans' | 'customers'>) {
  /** @throws ConflictError `plan_change_refused` */
  async function choose({ userId, kind, planId }: ChangeRequest): Promise<Plan | null> {
    const { isExempt, plan: current } = await standings.standingOf(userId);
    // What was paid for before is theirs to end.
    if (isExempt && kind !== 'keep' && planId !== null) {
      throw refusePlan('exempt', 'administrators pay nothing');
    }
    if (kind === 'keep') return null;
    const all = await plans.list();
    const wanted = all.find(({ id, isDefault }) => (planId === null ? isDefault : id === planId));
    const isSold = wanted?.stripePriceId != null || kind === 'downgrade';
    if (planId !== null && (!wanted || !isSold)) {
      throw new NotFoundError(`there is no plan ${planId}${wanted ? ' that is sold' : ''}`);
    }
    if (kind === 'upgrade' && wanted && current && wanted.position < current.position) {
      throw refusePlan('not_an_upgrade', `${wanted.name} is smaller than ${current.name}`);
    }
    if (kind === 'downgrade' && wanted && current && wanted.position > current.position) {
      throw refusePlan('not_a_downgrade', `${wanted.name} is larger than ${current.name}`);
    }
    // Whoever goes altogether leaves everything behind: it is stopped, and kept for a while.
    if (planId !== null && kind === 'downgrade' && wanted)
      requireFit(await customers.useOf(userId), wanted);
    return wanted?.stripePriceId ? wanted : null;
  }

  return choose;
}

/** Asks for another plan and waits for what Stripe makes of it. */
export function createPlanChange(dependencies: Dependencies) {
  const { actors, answers, waiting, randomId } = dependencies;
  const choose = createPlanChoice(dependencies);

  async function ask(request: ChangeRequest): Promise<string> {
    const { userId, kind, planId, idempotencyKey: key } = request;
    const keyed = key !== null && {
      ...{ userId, key, fingerprint: fingerprintOf({ kind, planId }) },
    };
    const before = keyed && (await replayAnswer<{ changeId: string }>(answers, keyed));
    if (before) return before.changeId;
    const plan = await choose(request);
    const operationId = `chg-${randomId()}`;
    const which = { planId: plan?.id ?? null, priceId: plan?.stripePriceId ?? null };
    const wish: ActorEvent = {
      ...{ type: `${kind}.requested`, operationId, requestedBy: userId },
      ...(kind !== 'keep' && which),
    };
    const response = { changeId: operationId };
    const asked = await actors
      .ask(
        subscriptionOf(userId),
        wish,
        keyed
          ? {
              eventId: `key:${fingerprintOf({ userId, key: keyed.key })}`,
              answer: { ...keyed, status: 200, response },
            }
          : {},
      )
      .catch((error: unknown) => {
        if (!(error instanceof NotFoundError)) throw error;
        throw refusePlan('not_subscribed', 'nothing is paid for');
      });
    if (asked.outcome === 'refused') {
      throw refusePlan(asked.reason.code as ChangeRefusal, asked.reason.message);
    }
    if ((asked.snapshot.context as SubscriptionContext).change?.id === operationId) {
      return operationId;
    }
    // The same key has been taken by a request that came at the same time.
    const first = keyed && (await replayAnswer<{ changeId: string }>(answers, keyed));
    if (!first) throw keyReused();
    return first.changeId;
  }

  return async (request: ChangeRequest): Promise<PlanChange | null> => {
    const changeId = await ask(request);
    const address = subscriptionOf(request.userId);
    const look = async () => {
      const { snapshot } = await actors.read(address);
      const { change } = snapshot.context as SubscriptionContext;
      const mine = change?.id === changeId ? change : null;
      // What came of it has been read from Stripe, too: the answer says what is true then.
      const { sync } = snapshot.value as { sync: string };
      const isSettled = mine?.state !== 'running' && sync === 'idle';
      return { mine, isSettled };
    };
    await waiting.until(address.id, async () => (await look()).isSettled, {
      waitS: WAIT_S,
      signal: request.signal,
    });
    const { mine } = await look();
    if (mine?.state === 'failed') throw failed(mine);
    return mine;
  };
}

function failed({ error }: PlanChange): Error {
  const { code = 'failed', message = '' } = error ?? {};
  if (code === 'exceeds_use') return refusePlan(code, message);
  if (code === 'refused') return refusePlan('payment_refused', message);
  return new ControlPlaneError(
    'upstream_failed',
    `the change of the plan was not confirmed: ${message}`,
  );
}
