import { callOf } from './instance/calls.ts';
import { instanceMachine } from './instance/machine.ts';
import { migrations } from './instance/migrations.ts';
import { operationsOf } from './instance/operations.ts';
import type { Effect, InstanceContext } from './instance/types.ts';
import { allowedActions, explain } from './instance/wishes.ts';
import { isAwaited, isOwed } from './subscription/calls.ts';
import { subscriptionMachine } from './subscription/machine.ts';
import { migrations as subscriptionMigrations } from './subscription/migrations.ts';
import type { SubscriptionContext, SubscriptionEffect } from './subscription/types.ts';
import {
  allowedActions as allowedChanges,
  explain as explainChange,
} from './subscription/wishes.ts';

/**
 * Every kind of actor that can exist. The key is the `kind` of its address: never rename one.
 * Raise `machineVersion` when stored snapshots of today would not do for the machine of
 * tomorrow, and say in `migrations` how one becomes the other.
 */
export const definitions = {
  instance: {
    machine: instanceMachine,
    machineVersion: 6,
    migrations,
    explain,
    operations: operationsOf,
    allowedActions,
  },
  subscription: {
    machine: subscriptionMachine,
    machineVersion: 2,
    migrations: subscriptionMigrations,
    explain: explainChange,
    allowedActions: allowedChanges,
  },
} as const;

/** No colon: ids become those of jobs, where BullMQ allows none. Ids of instances begin with a digit. */
const SUBSCRIPTION = 'sub-';

/** The actor that stands for what this customer pays for. */
export const subscriptionOf = (userId: string) => ({
  kind: 'subscription' as const,
  id: `${SUBSCRIPTION}${userId}`,
});

/** An id says of what kind its actor is: outbox and timers know no more of it. */
export const kindOf = (id: string): keyof typeof definitions =>
  id.startsWith(SUBSCRIPTION) ? 'subscription' : 'instance';

interface Call {
  /** The task of Proxmox that it began, if it came that far. */
  readonly upid: string | null;
}

/** The call in flight that an effect of this actor belongs to; null once nobody waits for it. */
export function findCall(id: string, context: unknown, effect: unknown): Call | null {
  if (kindOf(id) === 'instance') return callOf(context as InstanceContext, effect as Effect);
  const isWanted = isAwaited(context as SubscriptionContext, effect as SubscriptionEffect);
  return isWanted ? { upid: null } : null;
}

/** Must it be done however often it fails? Of all else its actor decides what becomes of it. */
export const mustHappen = (id: string, effect: unknown): boolean =>
  kindOf(id) === 'subscription' && isOwed(effect as SubscriptionEffect);
