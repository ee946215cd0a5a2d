import { type ConnectionOptions, type Job, Worker } from 'bullmq';

import type { Logger } from '../telemetry/logger.ts';
import type { QueueName, Queues } from './queues.ts';
import type { EffectJob } from './workers/perform-effects.ts';
import { createSweepProcessor, type Sweeps, startSweepKeeper } from './workers/sweep.ts';

/** A job whose worker died is given to another one after this; the lease decides anyway. */
const LOCK_MS = 10_000;
const STALLED_CHECK_MS = 5_000;
/** Stalling is no fault of the job: only its own attempts may end it. */
const STALLED_MAX = 1_000;

export interface WorkerOptions {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  readonly concurrency: number;
  readonly queues: Queues;
  readonly performEffect: (job: EffectJob, shutdown: AbortSignal) => Promise<void>;
  readonly deliverTimer: (job: { readonly data: unknown }) => Promise<void>;
  readonly sweeps: Sweeps;
  readonly logger: Logger;
}

/** Runs the workers of all queues until disposed; what is in flight then is handed back. */
export async function startWorkers(options: WorkerOptions): Promise<AsyncDisposable> {
  const { connection, prefix, concurrency, queues, sweeps, logger } = options;
  const shutdown = new AbortController();

  const startWorker = (
    name: QueueName,
    perform: (job: Job) => Promise<void>,
    concurrent: number,
  ): Worker => {
    const worker = new Worker(name, perform, {
      connection,
      prefix,
      concurrency: concurrent,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      maxStalledCount: STALLED_MAX,
    });
    // A job that fails is tried again by its attempts or by a sweep; both are told here.
    worker.on('failed', (job, err) =>
      logger.warn({ queue: name, job: job?.id, err }, 'job failed'),
    );
    worker.on('error', (err) => logger.warn({ queue: name, err }, 'worker error'));
    return worker;
  };

  const perform = (job: Job) => options.performEffect(job, shutdown.signal);
  const workers = [
    startWorker('effects-host', perform, concurrency),
    startWorker('effects-agent', perform, concurrency),
    startWorker('timers', options.deliverTimer, concurrency),
    startWorker('sweeps', createSweepProcessor(sweeps), Object.keys(sweeps).length),
  ];
  const keeper = startSweepKeeper({ queues, sweeps, logger });
  await Promise.all([keeper.ready, ...workers.map((worker) => worker.waitUntilReady())]);

  return {
    async [Symbol.asyncDispose]() {
      keeper[Symbol.dispose]();
      shutdown.abort(new Error('this node shuts down'));
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}
