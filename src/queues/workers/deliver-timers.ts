import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';

import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import type { DueTimer, Timers } from '../../storage/timers.ts';

const BATCH_MAX = 500;
const timerJob = z.object({ instanceId: z.string() });

interface Dependencies {
  readonly timers: Timers;
  readonly actors: Pick<ActorSystem, 'tell'>;
}

/**
 * Delivers what is due by the database's clock; the job only says whose. A delivery carries the
 * timer's generation and is void in the same transaction if that one is not armed any more.
 */
export function createTimerProcessor({ timers, actors }: Dependencies) {
  async function deliver({ instanceId, timerId, generation, event }: DueTimer): Promise<void> {
    const address = { kind: 'instance', id: instanceId };
    try {
      await actors.tell(address, event, {
        eventId: `timer/${timerId}/${generation}`,
        fires: { timerId, generation },
      });
    } catch (error) {
      // The actor went into the archive meanwhile, and its timers with it.
      if (!(error instanceof NotFoundError)) throw error;
    }
  }

  async function deliverDue(instanceId?: string): Promise<void> {
    const options = { limit: BATCH_MAX, ...(instanceId !== undefined && { instanceId }) };
    const due = await timers.listDue(options);
    const results = await Promise.allSettled(due.map(deliver));
    const failed = results.find((result) => result.status === 'rejected');
    // One instance that cannot be stepped has not kept the others from it.
    if (failed) throw failed.reason;
  }

  return {
    deliverDue,
    async process(job: { readonly data: unknown }): Promise<void> {
      const data = timerJob.safeParse(job.data);
      if (!data.success) throw new UnrecoverableError(z.prettifyError(data.error));
      await deliverDue(data.data.instanceId);
    },
  };
}
