import type { Logger } from '../../telemetry/logger.ts';
import type { QueueName, Queues } from '../queues.ts';

export interface Sweep {
  readonly everyMs: number;
  /** When in its interval it runs, on the same clock on every node: sweeps that share work spread. */
  readonly offsetMs?: number;
  /** Ends early when the signal says that this node shuts down. */
  readonly run: (shutdown: AbortSignal) => Promise<void>;
}

export type Sweeps = Readonly<Record<string, Sweep>>;

/** Schedulers live in Redis and die with its data: they are written again this often. */
const KEEP_MS = 5_000;

/**
 * A sweep takes no input and does not retry: the next one is the retry. One that takes longer
 * than its interval is not begun again beside itself, or it would take the slots of the others.
 */
export function createSweepProcessor(sweeps: Sweeps, shutdown: AbortSignal) {
  const running = new Set<string>();
  return async ({ name }: { readonly name: string }): Promise<void> => {
    if (running.has(name) || shutdown.aborted) return;
    running.add(name);
    try {
      await sweeps[name]?.run(shutdown);
    } finally {
      running.delete(name);
    }
  };
}

/** Keeps one BullMQ job scheduler for each sweep, whichever and however many nodes run. */
export function startSweepKeeper(options: {
  readonly queues: Queues;
  readonly queue?: QueueName;
  readonly sweeps: Sweeps;
  readonly logger: Logger;
}): Disposable & { readonly ready: Promise<void> } {
  const { queues, queue = 'sweeps', sweeps, logger } = options;
  const keep = async () => {
    for (const [name, { everyMs, offsetMs }] of Object.entries(sweeps)) {
      const repeat = { every: everyMs, ...(offsetMs !== undefined && { offset: offsetMs }) };
      const job = { name, opts: { removeOnComplete: true, removeOnFail: true } };
      await queues.get(queue).upsertJobScheduler(name, repeat, job);
    }
  };
  const timer = setInterval(() => {
    keep().catch((error: unknown) => logger.warn({ err: error }, 'cannot keep the sweeps'));
  }, KEEP_MS);
  return {
    ready: keep(),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
