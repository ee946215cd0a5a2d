import type { Effect, EffectKind, InstanceEvent } from '../../machines/instance/types.ts';
import type {
  SubscriptionEffect,
  SubscriptionEffectKind,
  SubscriptionEvent,
} from '../../machines/subscription/types.ts';

type Told<Event> = Event extends { readonly at: number } ? Omit<Event, 'at'> : never;

/** A fact as a worker tells it; the runtime adds the time. */
export type ToldEvent = Told<InstanceEvent>;

export interface Performance {
  /** The Proxmox task that an earlier attempt of this call started, if it came that far. */
  readonly upid: string | null;
  /** Since it was asked for, when it was taken up. An older task was not begun for it. */
  readonly ageMs: number;
  /** Ends when nobody waits for the effect any more, or when this node shuts down. */
  readonly signal: AbortSignal;
  /** Tells what happened on the way. With an `id`, the same telling happens once. */
  progress(event: ToldEvent, id?: string): Promise<void>;
}

/**
 * Performs one kind of effect and answers the fact that ends it. It may run twice, also at the
 * same time: so it looks at the world first, and does only what is still missing.
 * @throws UpstreamError if it could not
 */
export type Perform<Kind extends EffectKind> = (
  effect: Extract<Effect, { kind: Kind }>,
  performance: Performance,
) => Promise<ToldEvent>;

export type Performers = { readonly [Kind in EffectKind]: Perform<Kind> };

/** The same for what subscriptions ask for. */
export type SubscriptionPerformers = {
  readonly [Kind in SubscriptionEffectKind]: (
    effect: Extract<SubscriptionEffect, { kind: Kind }>,
    performance: Pick<Performance, 'signal'>,
  ) => Promise<Told<SubscriptionEvent>>;
};
