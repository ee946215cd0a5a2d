import { createReconciliation } from '../queues/workers/reconcile.ts';
import { createInstances } from '../storage/instances.ts';
import { createLeftovers } from '../storage/leftovers.ts';
import { createReconcileReports, type ReconcileReport } from '../storage/reconcile-report.ts';
import type { Foundation } from './foundation.ts';

type ReconcileParts = Pick<
  Foundation,
  'config' | 'database' | 'debts' | 'now' | 'proxmox' | 'redis'
>;

/** The comparison of Proxmox with our rows, for the sweep and for whoever asks for it. */
export function createReconcile({ config, database, debts, now, proxmox, redis }: ReconcileParts) {
  const reports = createReconcileReports(redis, config.redis.prefix);
  const compare = createReconciliation({
    proxmox,
    debts,
    instances: createInstances(database.prisma),
    leftovers: createLeftovers(database.pool),
    ranges: Object.values(config.provisioning.vmids),
    now,
  });
  return {
    latest: reports.latest,
    async run(shutdown: AbortSignal): Promise<ReconcileReport> {
      const report = await compare(shutdown);
      await reports.save(report);
      return report;
    },
  };
}
