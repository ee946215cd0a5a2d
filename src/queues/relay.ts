import type { JobsOptions } from 'bullmq';

import type { ChangeFeed } from '../actors/change-feed.ts';
import type { ObserveCheckpoint } from '../actors/checkpoint.ts';
import type { Effect, Step } from '../actors/store.ts';
import type { Committed } from '../actors/system.ts';
import type { OutboxEntry } from '../storage/outbox.ts';
import { effectJobOptions, effectsQueueOf, type QueueName, type Queues } from './queues.ts';

/** Later deadlines are left to the sweep, which finds them within a second of their time. */
const TIMER_JOB_DELAY_MAX_MS = 10_000;

interface Job {
  readonly queue: QueueName;
  readonly name: string;
  readonly data: unknown;
  readonly opts: object;
}

const effectJobWith =
  (options: JobsOptions) =>
  ({ key, kind }: Pick<Effect, 'key' | 'kind'>): Job => ({
    queue: effectsQueueOf(kind),
    name: kind,
    data: { key },
    // The same key is the same job: what is waiting or running already is not added again.
    opts: { ...options, jobId: key },
  });

const timerJobs = ({ id, version, arms }: Step): Job[] =>
  arms
    .filter(({ delayMs }) => delayMs <= TIMER_JOB_DELAY_MAX_MS)
    .map(({ timerId, delayMs }) => ({
      queue: 'timers',
      name: 'deliver',
      data: { instanceId: id },
      opts: {
        jobId: `${id}/${timerId}/${version}`,
        delay: delayMs,
        removeOnComplete: true,
        removeOnFail: true,
      },
    }));

export interface Relay {
  /** After a commit: wakes the workers and the other nodes. Never waited for, never needed. */
  readonly announce: (committed: Committed) => void;
  /** Wakes the workers for effects that a sweep found lying about. */
  enqueue(entries: readonly Pick<OutboxEntry, 'key' | 'kind'>[]): Promise<void>;
  /** Runs a sweep now instead of at its time. Only a hint, too. */
  readonly sweepSoon: (name: string) => void;
}

/** From the outbox to the queues. Steps of one turn of the event loop travel together. */
export function createRelay(options: {
  readonly queues: Queues;
  readonly feed: ChangeFeed;
  readonly onError: (error: unknown) => void;
  readonly observe?: ObserveCheckpoint | undefined;
  /** The first pause before a call that did not get through is made again. */
  readonly retryMs: number;
}): Relay {
  const { queues, feed, onError, observe, retryMs } = options;
  const effectJob = effectJobWith(effectJobOptions(retryMs));
  let pending: Step[] = [];

  async function add(jobs: readonly Job[]): Promise<void> {
    const byQueue = Map.groupBy(jobs, ({ queue }) => queue);
    await Promise.all([...byQueue].map(([name, group]) => queues.get(name).addBulk([...group])));
  }

  async function flush(): Promise<void> {
    const steps = pending;
    pending = [];
    feed.publish(steps.map(({ id, version }) => ({ id, version })));
    const jobs = steps.flatMap((step) => [...step.effects.map(effectJob), ...timerJobs(step)]);
    if (jobs.length === 0) return;
    await add(jobs);
    observe?.('enqueue.after');
  }

  return {
    announce({ step }) {
      pending.push(step);
      if (pending.length === 1) setImmediate(() => flush().catch(onError));
    },
    enqueue: (entries) => add(entries.map(effectJob)),
    sweepSoon(name) {
      const opts = { removeOnComplete: true, removeOnFail: true };
      add([{ queue: 'sweeps', name, data: {}, opts }]).catch(onError);
    },
  };
}
