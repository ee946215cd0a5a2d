import { randomUUID } from 'node:crypto';

import type { BillingRun, BillingRuns } from '../../storage/billing-runs.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { holdLease } from './lease.ts';

const LEASE_MS = 60_000;

/** What it did, in numbers. */
export type BillingTask = (
  runId: string,
  signal: AbortSignal,
) => Promise<Readonly<Record<string, number>>>;

/**
 * Runs a task of the billing schedule: one at a time in the whole fleet, with a lease that ends if
 * its node dies, and a result that says what was done. Nothing is retried inside: the next run is.
 */
export function createBillingSchedule<Kind extends string>({
  runs,
  tasks,
  logger,
  leaseMs = LEASE_MS,
}: {
  readonly runs: BillingRuns;
  readonly tasks: Readonly<Record<Kind, BillingTask>>;
  readonly logger: Logger;
  readonly leaseMs?: number;
}) {
  return async (kind: Kind, shutdown: AbortSignal): Promise<BillingRun | null> => {
    const token = randomUUID();
    const begun = await runs.begin({ kind, token, leaseMs });
    if (!begun) return null;
    const { id } = begun;
    const finish = (outcome: 'succeeded' | 'failed', result: object) =>
      runs.finish(id, token, { outcome, result });
    await using lease = holdLease({
      renew: () => runs.renew(id, token, leaseMs),
      // A shutdown hands nothing back: what was done is done, and the next run does the rest.
      release: () => finish('failed', { error: 'this node shuts down' }),
      everyMs: leaseMs / 3,
      shutdown,
    });
    try {
      const result = await tasks[kind](id, lease.signal);
      lease.settled();
      await finish('succeeded', result);
    } catch (error) {
      if (lease.signal.aborted) throw error;
      logger.warn({ run: id, kind, err: error }, 'a billing run failed');
      lease.settled();
      await finish('failed', { error: error instanceof Error ? error.name : 'unknown' });
    }
    return (await runs.find(id)) ?? begun;
  };
}
