import { type ConnectionOptions, type Job, Worker } from 'bullmq';

import type { Logger } from '../telemetry/logger.ts';
import { QUEUE_NAMES, type QueueName, type Queues } from './queues.ts';
import type { EffectJob } from './workers/perform-effects.ts';
import type { MailJob } from './workers/send-mails.ts';
import { createSweepProcessor, type Sweeps, startSweepKeeper } from './workers/sweep.ts';

/** Stalling is no fault of the job: only its own attempts may end it. */
const STALLED_MAX = 1_000;
/** Mail servers limit how many connections one caller may have. */
const MAILS_AT_A_TIME = 4;

/** Who makes a backup mostly waits, for an hour perhaps: few of those must not be all of them. */
const BACKUPS_FACTOR = 8;

const concurrencyOf = (name: QueueName, concurrency: number): number =>
  name === 'effects-backup' ? concurrency * BACKUPS_FACTOR : concurrency;

export interface WorkerOptions {
  readonly connection: ConnectionOptions;
  readonly prefix: string;
  readonly concurrency: number;
  /** A job whose worker died is given to another one after about this; the lease decides anyway. */
  readonly lockMs: number;
  readonly queues: Queues;
  readonly performEffect: (job: EffectJob, shutdown: AbortSignal) => Promise<void>;
  readonly deliverTimer: (job: { readonly data: unknown }) => Promise<void>;
  readonly sendMail?: (job: MailJob, shutdown: AbortSignal) => Promise<void>;
  readonly sweeps: Sweeps;
  /** Sweeps of agents: in a queue of their own, where nothing else waits for a worker. */
  readonly polls?: Sweeps;
  readonly logger: Logger;
}

/** Runs the workers of all queues until disposed; what is in flight then is handed back. */
export async function startWorkers(options: WorkerOptions): Promise<AsyncDisposable> {
  const { connection, prefix, concurrency, lockMs, queues, logger } = options;
  await using opened = new AsyncDisposableStack();
  const shutdown = new AbortController();
  const workers: Worker[] = [];
  opened.defer(async () => {
    shutdown.abort(new Error('this node shuts down'));
    await Promise.all(workers.map((worker) => worker.close()));
  });

  const startWorker = (
    name: QueueName,
    perform: (job: Job) => Promise<void>,
    concurrent: number,
  ): void => {
    const worker = new Worker(name, perform, {
      connection,
      prefix,
      concurrency: concurrent,
      lockDuration: lockMs,
      stalledInterval: lockMs / 2,
      maxStalledCount: STALLED_MAX,
    });
    // A job that fails is tried again by its attempts or by a sweep; both are told here.
    worker.on('failed', (job, err) =>
      logger.warn({ queue: name, job: job?.id, err }, 'job failed'),
    );
    worker.on('error', (err) => logger.warn({ queue: name, err }, 'worker error'));
    workers.push(worker);
  };

  const perform = (job: Job) => options.performEffect(job, shutdown.signal);
  for (const name of QUEUE_NAMES) {
    if (name.startsWith('effects-')) startWorker(name, perform, concurrencyOf(name, concurrency));
  }
  startWorker('timers', options.deliverTimer, concurrency);
  const { sendMail } = options;
  if (sendMail) startWorker('mails', (job) => sendMail(job, shutdown.signal), MAILS_AT_A_TIME);
  const startSweeps = (queue: QueueName, sweeps: Sweeps): Promise<void> => {
    startWorker(queue, createSweepProcessor(sweeps, shutdown.signal), Object.keys(sweeps).length);
    return opened.use(startSweepKeeper({ queues, queue, sweeps, logger })).ready;
  };
  await Promise.all([
    startSweeps('sweeps', options.sweeps),
    options.polls && startSweeps('polls', options.polls),
    ...workers.map((worker) => worker.waitUntilReady()),
  ]);

  const closing = opened.move();
  return { [Symbol.asyncDispose]: () => closing.disposeAsync() };
}
