import { randomUUID } from 'node:crypto';

import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';

import type { ActorEvent } from '../../actors/address.ts';
import type { ObserveCheckpoint } from '../../actors/checkpoint.ts';
import type { ActorSystem, TellOptions } from '../../actors/system.ts';
import { ControlPlaneError, NotFoundError, UpstreamError } from '../../errors.ts';
import { findCall, kindOf, mustHappen } from '../../machines/index.ts';
import type { ClaimedEffect, Outbox, OutboxEntry } from '../../storage/outbox.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Performance, Performers, SubscriptionPerformers } from '../effects/performer.ts';
import { holdLease } from './lease.ts';

const effectJob = z.object({ key: z.string() });

export interface EffectWorkerDependencies {
  readonly outbox: Outbox;
  readonly actors: Pick<ActorSystem, 'read' | 'tell'>;
  /** Drops an effect that nobody waits for. */
  readonly settle: (effectKey: string) => Promise<void>;
  /** Nothing is billed where those of subscriptions are missing. */
  readonly performers: Performers & Partial<SubscriptionPerformers>;
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly observe?: ObserveCheckpoint | undefined;
}

interface AnyEffect {
  readonly kind: string;
  readonly opId: string;
}

type AnyPerform = (effect: AnyEffect, performance: Performance) => Promise<ActorEvent>;

export interface EffectJob {
  readonly data: unknown;
  readonly attemptsMade: number;
  readonly opts: { readonly attempts?: number };
}

/** The call did not get through: asking again soon is the queue's business, not the machine's. */
const DID_NOT_GET_THROUGH = ['not_connected', 'no_answer', 'timed_out', 'node_unreachable'];

/**
 * Performs one effect at least once and tells the actor how it ended. Everything is read from
 * the outbox and the actor; the job only says which. An effect that its actor does not wait for
 * any more is dropped unperformed.
 */
export function createEffectProcessor(dependencies: EffectWorkerDependencies) {
  const { outbox, actors, settle, leaseMs, logger, observe } = dependencies;
  const performers = dependencies.performers as unknown as Readonly<
    Record<string, AnyPerform | undefined>
  >;

  async function readCall({ instanceId: id }: OutboxEntry, effect: AnyEffect) {
    try {
      const { snapshot } = await actors.read({ kind: kindOf(id), id });
      return findCall(id, snapshot.context, effect);
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  async function tell({ instanceId: id }: OutboxEntry, event: ActorEvent, options: TellOptions) {
    try {
      await actors.tell({ kind: kindOf(id), id }, event, options);
    } catch (error) {
      // The actor went into the archive meanwhile, and its effects with it.
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  async function perform(
    act: AnyPerform,
    entry: ClaimedEffect,
    { upid }: { readonly upid: string | null },
    signal: AbortSignal,
  ) {
    const outcome = await act(entry.params as AnyEffect, {
      upid,
      ageMs: entry.ageMs,
      signal,
      async progress(event, id) {
        observe?.('progress.before');
        await tell(entry, event, id === undefined ? {} : { eventId: `${entry.key}#${id}` });
        observe?.('progress.after');
      },
    });
    observe?.('effect.after');
    return outcome;
  }

  return async (job: EffectJob, shutdown: AbortSignal): Promise<void> => {
    const data = effectJob.safeParse(job.data);
    if (!data.success) throw new UnrecoverableError(z.prettifyError(data.error));
    // What a closing worker still fetches is left to whoever goes on.
    if (shutdown.aborted) return;
    const token = randomUUID();
    const entry = await outbox.claim(data.data.key, token, leaseMs);
    if (!entry) return;
    const effect = entry.params as AnyEffect;
    const act = performers[effect.kind];
    // While releases change, a newer one may ask for what this one cannot do: its workers will.
    if (!act) return outbox.release(entry.key, token);
    await using lease = holdLease({
      renew: async () =>
        (await outbox.renew(entry.key, token, leaseMs)) && (await readCall(entry, effect)) !== null,
      release: () => outbox.release(entry.key, token),
      everyMs: leaseMs / 3,
      shutdown,
    });
    const call = await readCall(entry, effect);
    if (!call) return settle(entry.key);

    const outcome = await perform(act, entry, call, lease.signal).catch((error: unknown) => {
      if (lease.signal.aborted) return null;
      logger.warn({ effect: entry.key, kind: effect.kind, err: error }, 'effect failed');
      const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      if (mustHappen(entry.instanceId, effect)) throw error;
      return toOutcome(effect, error, isLast);
    });
    // Aborted: superseded, or handed back to whoever goes on. The sweep sees to it.
    if (!outcome) return;
    observe?.('tell.before');
    await tell(entry, outcome, { eventId: `${entry.key}#end`, completes: entry.key });
    lease.settled();
  };
}

/** @throws the error itself, if the queue is to try again */
function toOutcome(effect: AnyEffect, error: unknown, isLast: boolean): ActorEvent {
  const failed = (code: string, message: string, retryable: boolean) => ({
    type: 'effect.failed',
    opId: effect.opId,
    code,
    message,
    retryable,
  });
  if (error instanceof UpstreamError) {
    if (DID_NOT_GET_THROUGH.includes(error.reason) && !isLast) throw error;
    return failed(error.reason, error.message, error.retryable);
  }
  if (!isLast) throw error;
  // Our own bug, or our own database: the customer learns that it failed, the log learns why.
  const retryable = error instanceof ControlPlaneError && error.retryable;
  return failed('internal_error', `${effect.kind} could not be performed`, retryable);
}
