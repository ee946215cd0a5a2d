import { migrate } from '../actors/memory.ts';
import { createReplay } from '../actors/replay.ts';
import type { Stored } from '../actors/store.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { createMoments } from '../http/moments.ts';
import { allOperationsEndpoints } from '../http/routes/all-operations.ts';
import { discoveryEndpoints } from '../http/routes/discovery.ts';
import { explainEndpoints } from '../http/routes/explain.ts';
import { momentEndpoint } from '../http/routes/moments.ts';
import { reconcileEndpoints } from '../http/routes/reconcile.ts';
import { definitions } from '../machines/index.ts';
import { createHistory } from '../storage/history.ts';
import { createInstances } from '../storage/instances.ts';
import { createOperationList } from '../storage/operation-list.ts';
import type { Foundation } from './foundation.ts';
import { createNodeEndpoints } from './nodes.ts';
import { createReconcile } from './reconcile.ts';
import type { View } from './view.ts';

type InsightParts = Pick<
  Foundation,
  | 'closing'
  | 'config'
  | 'database'
  | 'debts'
  | 'logger'
  | 'nodeId'
  | 'now'
  | 'proxmox'
  | 'queues'
  | 'redis'
>;

/** What explains the rest: to customers, to operators and to their monitoring. */
export function createInsightEndpoints(
  parts: InsightParts,
  { find, fleet }: Pick<View, 'find' | 'fleet'>,
): readonly AnyEndpoint[] {
  const { closing, config, database, logger } = parts;
  const history = createHistory(database.pool);
  const lives = { find, instances: createInstances(database.prisma) };
  const replay = createReplay('instance', definitions.instance);
  const upgrade = (stored: Stored) => migrate(definitions.instance, stored).snapshot;
  return [
    momentEndpoint({ ...lives, history, moments: createMoments({ history, replay, upgrade }) }),
    ...explainEndpoints({
      ...lives,
      history,
      upgrade,
    }),
    ...reconcileEndpoints({
      ...createReconcile(parts),
      closing: closing.signal,
      onError: (err) => logger.warn({ err }, 'cannot compare Proxmox with our rows'),
    }),
    ...createNodeEndpoints(parts, fleet),
    ...allOperationsEndpoints({
      list: createOperationList(database.pool),
      stateOf(vmid, instanceId) {
        const entry = fleet.get(vmid);
        return entry?.id === instanceId ? entry.state : undefined;
      },
    }),
    ...discoveryEndpoints({ fleet, token: config.discovery.token }),
  ];
}
