import type { AnyMachineSnapshot } from 'xstate';

import { NotFoundError } from '../errors.ts';
import type { ActorEvent, Address } from './address.ts';
import { planBirth } from './birth.ts';
import type { Change } from './change-feed.ts';
import type { ObserveCheckpoint } from './checkpoint.ts';
import type { ActorDefinition } from './definition.ts';
import { createDelivery, type DeliveryOptions } from './delivery.ts';
import { createGroup } from './group.ts';
import { type ActorHandle, createHandle } from './handle.ts';
import { createMailboxes } from './mailbox.ts';
import { createMemory } from './memory.ts';
import { restore } from './plan.ts';
import type { ActorStore, KeyedAnswer, Step, TimerRef } from './store.ts';

export interface Committed {
  readonly address: Address;
  readonly step: Step;
}

export interface TellOptions {
  /** Says which telling this is: told again, it changes nothing. */
  readonly eventId?: string;
  readonly fires?: TimerRef;
  readonly completes?: string;
}

export interface AskOptions {
  /** Says which asking this is: asked again, it is accepted again and changes nothing. */
  readonly eventId?: string;
  /** Kept with the step, or not at all. */
  readonly answer?: KeyedAnswer;
}

export type Asked =
  | {
      readonly outcome: 'accepted';
      readonly snapshot: AnyMachineSnapshot;
      readonly version: number;
    }
  | {
      readonly outcome: 'refused';
      readonly reason: { readonly code: string; readonly message: string };
      readonly allowedActions: readonly string[];
      readonly snapshot: AnyMachineSnapshot;
    };

export interface ActorSystem {
  /**
   * A new actor in its initial state. `persist` writes its first step, together with whatever
   * else must be true at the same moment; `repeated` says that it found this done already.
   */
  create(
    address: Address,
    input: unknown,
    persist: (step: Step) => Promise<'created' | 'repeated'>,
  ): Promise<'created' | 'repeated'>;
  /** For wishes. Durable when it answers `accepted`; `refused` has changed nothing. */
  ask(address: Address, event: ActorEvent, options?: AskOptions): Promise<Asked>;
  /** For facts. Never refused: an actor that has no use for a fact ignores it. */
  tell(address: Address, event: ActorEvent, options?: TellOptions): Promise<void>;
  /** The state as stored now, with its version. */
  read(address: Address): Promise<{ snapshot: AnyMachineSnapshot; version: number }>;
  /** A handle in the manner of XState's ActorRef: `id`, `send`, `getSnapshot`, `subscribe`. */
  get(address: Address): Promise<ActorHandle>;
  /** Hears of every step that this node commits. */
  onCommitted(listener: (committed: Committed) => void): () => void;
  /** Another node says that it stepped this actor: an older memory of it is of no use. */
  readonly heard: (change: Change) => void;
}

export interface ActorSystemOptions {
  readonly store: ActorStore;
  readonly definitions: Readonly<Record<string, ActorDefinition>>;
  readonly now: () => number;
  /** Unique to this process and its start. */
  readonly nodeId: string;
  readonly cacheMax?: number;
  readonly batchMax?: number;
  readonly observe?: ObserveCheckpoint;
}

/** Actors that are addresses: any node may step any of them, and none is resident by necessity. */
export function createActorSystem(options: ActorSystemOptions): ActorSystem {
  const { store, definitions, now, nodeId, cacheMax = 10_000, batchMax = 500 } = options;
  const enqueue = createMailboxes();
  const listeners = new Set<(committed: Committed) => void>();
  let eventSeq = 0;

  function definitionOf(kind: string): ActorDefinition {
    const definition = definitions[kind];
    if (!definition) throw new NotFoundError(`no actor of kind ${kind}`);
    return definition;
  }

  const memory = createMemory(store, definitionOf, { sizeMax: cacheMax, batchMax });
  const step = createDelivery({
    store,
    memory,
    definitions,
    now,
    commit: createGroup(store.commit.bind(store), { sizeMax: batchMax, inFlightMax: 2 }),
    committed: (address, step) => announce(address, step),
    observe: options.observe,
  });
  const deliver = (address: Address, event: ActorEvent, how: Partial<DeliveryOptions>) =>
    enqueue(address.id, () =>
      step(address, event, { ...how, eventId: how.eventId ?? `${nodeId}-${++eventSeq}` }),
    );

  const announce = (address: Address, step: Step) => {
    for (const listener of listeners) listener({ address, step });
  };
  const system: ActorSystem = {
    async create(address, input, persist) {
      const birth = { ...address, input, eventId: 'created', at: now() };
      const step = planBirth(definitionOf(address.kind), birth);
      options.observe?.('commit.before');
      const outcome = await persist(step);
      if (outcome === 'repeated') return outcome;
      options.observe?.('commit.after');
      memory.remember(step);
      announce(address, step);
      return outcome;
    },
    async ask(address, event, how = {}) {
      const { changed, snapshot, version } = await deliver(address, event, how);
      if (changed) return { outcome: 'accepted', snapshot, version };
      const { explain, allowedActions } = definitionOf(address.kind);
      return {
        outcome: 'refused',
        reason: explain(snapshot, event),
        allowedActions: allowedActions(snapshot),
        snapshot,
      };
    },
    async tell(address, event, how = {}) {
      const { changed } = await deliver(address, event, how);
      if (changed) return;
      if (how.fires) await store.disarm(address.id, how.fires);
      if (how.completes !== undefined) await store.settle(how.completes);
    },
    async read(address) {
      const stored = await memory.load(address);
      const { machine } = definitionOf(address.kind);
      return { snapshot: restore(machine, stored.snapshot), version: stored.version };
    },
    get: (address) => createHandle(system, address),
    onCommitted(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    heard({ id, version }) {
      const known = memory.recall(id);
      if (known && known.version < version) memory.forget(id);
    },
  };
  return system;
}
