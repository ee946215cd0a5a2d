import { randomUUID } from 'node:crypto';

import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';

import type { ObserveCheckpoint } from '../../actors/checkpoint.ts';
import type { ActorSystem, TellOptions } from '../../actors/system.ts';
import { ControlPlaneError, NotFoundError, UpstreamError } from '../../errors.ts';
import { callOf } from '../../machines/instance/calls.ts';
import type { Effect, InstanceContext, Op } from '../../machines/instance/types.ts';
import type { ClaimedEffect, Outbox, OutboxEntry } from '../../storage/outbox.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Perform, Performers, ToldEvent } from '../effects/performer.ts';
import { holdLease } from './lease.ts';

const effectJob = z.object({ key: z.string() });

export interface EffectWorkerDependencies {
  readonly outbox: Outbox;
  readonly actors: Pick<ActorSystem, 'read' | 'tell'>;
  /** Drops an effect that nobody waits for. */
  readonly settle: (effectKey: string) => Promise<void>;
  readonly performers: Performers;
  readonly leaseMs: number;
  readonly logger: Logger;
  readonly observe?: ObserveCheckpoint | undefined;
}

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
  const { outbox, actors, settle, performers, leaseMs, logger, observe } = dependencies;

  async function readCall({ instanceId }: OutboxEntry, effect: Effect): Promise<Op | null> {
    try {
      const { snapshot } = await actors.read({ kind: 'instance', id: instanceId });
      return callOf(snapshot.context as InstanceContext, effect);
    } catch (error) {
      if (error instanceof NotFoundError) return null;
      throw error;
    }
  }

  async function tell({ instanceId }: OutboxEntry, event: ToldEvent, options: TellOptions) {
    try {
      await actors.tell({ kind: 'instance', id: instanceId }, event, options);
    } catch (error) {
      // The actor went into the archive meanwhile, and its effects with it.
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  async function perform(entry: ClaimedEffect, effect: Effect, { upid }: Op, signal: AbortSignal) {
    const act = performers[effect.kind] as Perform<Effect['kind']>;
    const outcome = await act(effect as never, {
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
    const effect = entry.params as Effect;
    // While releases change, a newer one may ask for what this one cannot do: its workers will.
    if (!(performers as Partial<Performers>)[effect.kind]) return outbox.release(entry.key, token);
    await using lease = holdLease({
      renew: async () =>
        (await outbox.renew(entry.key, token, leaseMs)) && (await readCall(entry, effect)) !== null,
      release: () => outbox.release(entry.key, token),
      everyMs: leaseMs / 3,
      shutdown,
    });
    const call = await readCall(entry, effect);
    if (!call) return settle(entry.key);

    const outcome = await perform(entry, effect, call, lease.signal).catch((error: unknown) => {
      if (lease.signal.aborted) return null;
      logger.warn({ effect: entry.key, kind: effect.kind, err: error }, 'effect failed');
      const isLast = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
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
function toOutcome(effect: Effect, error: unknown, isLast: boolean): ToldEvent {
  const failed = (code: string, message: string, retryable: boolean): ToldEvent => ({
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
