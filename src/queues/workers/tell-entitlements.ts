import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import { subscriptionOf } from '../../machines/index.ts';
import { reasonOf } from '../../machines/subscription/calls.ts';
import type { Customers } from '../../storage/customers.ts';
import type { Subscriptions } from '../../storage/subscriptions.ts';
import type { createDecisions } from '../effects/billing.ts';
import { inTurn } from '../in-turn.ts';

const PAGE_MAX = 500;

export interface EntitlementSweepOptions {
  readonly customers: Pick<Customers, 'listUntold' | 'listRoles'>;
  readonly subscriptions: Pick<Subscriptions, 'find'>;
  readonly actors: Pick<ActorSystem, 'tell'>;
  readonly tellDecision: ReturnType<typeof createDecisions>;
}

/**
 * Makes known what nobody was told when it was decided: to subscriptions, that their owner has
 * become an administrator or is none any more; to instances made meanwhile, whether they may run.
 */
export function createEntitlementSweep(options: EntitlementSweepOptions) {
  const { customers, subscriptions, actors, tellDecision } = options;

  async function tellRole({ userId, role }: { userId: string; role: string }): Promise<void> {
    const type = role === 'admin' ? 'owner.exempted' : 'owner.charged';
    try {
      await actors.tell(subscriptionOf(userId), { type });
    } catch (error) {
      // The account is gone.
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  /** Nothing is deleted here: what an administrator has made for somebody who is out stays off. */
  async function tellInstance(one: { instanceId: string; userId: string }): Promise<void> {
    const row = await subscriptions.find(one.userId);
    if (!row) return;
    const { order } = row.context;
    await tellDecision(one.instanceId, { reason: reasonOf(row.context), order });
  }

  return async (signal: AbortSignal): Promise<void> => {
    await tellAll(customers.listRoles, ({ userId }) => userId, tellRole, signal);
    await tellAll(customers.listUntold, ({ instanceId }) => instanceId, tellInstance, signal);
  };
}

/** Page by page. One that cannot be told keeps none of the others from it, and is an error then. */
async function tellAll<T>(
  list: (page: { after: string; limit: number }) => Promise<readonly T[]>,
  idOf: (one: T) => string,
  tell: (one: T) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const failures: unknown[] = [];
  for (let after = ''; ; ) {
    signal.throwIfAborted();
    const page = await list({ after, limit: PAGE_MAX });
    await inTurn(page, tell, signal).catch((error: unknown) => failures.push(error));
    const last = page.at(-1);
    if (!last || page.length < PAGE_MAX) break;
    after = idOf(last);
  }
  if (failures.length > 0) throw failures[0];
}
