import { UnrecoverableError } from 'bullmq';
import { z } from 'zod';

import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import { kindOf } from '../../machines/index.ts';
import type { DueTimer, Timers } from '../../storage/timers.ts';

const PAGE_MAX = 500;
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
    const address = { kind: kindOf(instanceId), id: instanceId };
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

  /** All of them, page by page: one instance that cannot be stepped keeps no other from it. */
  async function deliverDue(instanceId?: string): Promise<void> {
    const subject = { limit: PAGE_MAX, ...(instanceId !== undefined && { instanceId }) };
    const failures: unknown[] = [];
    let page = await timers.listDue(subject);
    for (;;) {
      const results = await Promise.allSettled(page.map(deliver));
      for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
      const after = page.at(-1);
      if (!after || page.length < PAGE_MAX) break;
      page = await timers.listDue({ ...subject, after });
    }
    if (failures.length > 0) throw failures[0];
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
