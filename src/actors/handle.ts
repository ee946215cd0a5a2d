import type { AnyMachineSnapshot } from 'xstate';

import type { ActorEvent, Address } from './address.ts';
import { restore } from './plan.ts';
import type { ActorSystem } from './system.ts';

/**
 * A durable actor seen as XState's ActorRef, so that `waitFor`, selectors and the inspector
 * work on it. It follows the steps that this node commits or hears of; `send` is durable later,
 * as with any ActorRef, so use `ask` where the answer matters.
 */
export interface ActorHandle {
  readonly id: string;
  send(event: ActorEvent): void;
  getSnapshot(): AnyMachineSnapshot;
  subscribe(observer: ((snapshot: AnyMachineSnapshot) => void) | Partial<SnapshotObserver>): {
    unsubscribe(): void;
  };
}

interface SnapshotObserver {
  next(snapshot: AnyMachineSnapshot): void;
  error(error: unknown): void;
  complete(): void;
}

export async function createHandle(
  system: Pick<ActorSystem, 'ask' | 'read' | 'onCommitted'>,
  address: Address,
): Promise<ActorHandle> {
  const initial = await system.read(address);
  let latest = initial.snapshot;
  const observers = new Set<Partial<SnapshotObserver>>();
  let stop: (() => void) | undefined;

  function follow(): void {
    stop ??= system.onCommitted(({ address: { id }, step }) => {
      if (id !== address.id) return;
      latest = restore(latest.machine, step.snapshot);
      for (const observer of observers) observer.next?.(latest);
      if (step.archives) for (const observer of observers) observer.complete?.();
    });
  }

  return {
    id: address.id,
    send(event) {
      system.ask(address, event).catch((error: unknown) => {
        for (const observer of observers) observer.error?.(error);
      });
    },
    getSnapshot: () => latest,
    subscribe(observer) {
      const entry = typeof observer === 'function' ? { next: observer } : observer;
      observers.add(entry);
      follow();
      return {
        unsubscribe() {
          observers.delete(entry);
          if (observers.size > 0) return;
          stop?.();
          stop = undefined;
        },
      };
    },
  };
}
