import type { AnyEndpoint } from '../http/endpoint.ts';
import { viewNodes } from '../http/nodes-view.ts';
import { nodeEndpoints } from '../http/routes/nodes.ts';
import { nameOf } from '../machines/instance/status.ts';
import { readBacklog } from '../storage/backlog.ts';
import { createClusterReports, createContainerCounts } from '../storage/cluster-nodes.ts';
import { createNodeLoads } from '../storage/node-slots.ts';
import { createProcesses } from '../storage/processes.ts';
import { withinTime } from '../telemetry/within-time.ts';
import type { Fleet } from '../view/fleet.ts';
import type { Foundation } from './foundation.ts';
import { needsOf, reach } from './heart.ts';
import { countJobs } from './metrics.ts';
import { unseenAfter } from './polls.ts';

const PATIENCE_MS = 2_000;

type NodeParts = Pick<
  Foundation,
  'config' | 'database' | 'logger' | 'nodeId' | 'now' | 'queues' | 'redis'
>;

/** How the nodes are, from what they and whoever looks at them have left in Redis. */
export function createNodeEndpoints(
  parts: NodeParts,
  fleet: Pick<Fleet, 'select'>,
): readonly AnyEndpoint[] {
  const { config, database, logger, nodeId: answeredBy, now, queues, redis } = parts;
  const { prefix } = config.redis;
  const reports = createClusterReports(redis, prefix);
  const counts = createContainerCounts(redis, prefix);
  const processes = createProcesses(redis, prefix);
  const countCalls = createNodeLoads({ redis, prefix, now });
  const needs = needsOf(parts);

  /** null: it cannot be had just now, which the answer says. */
  const orNull = <T>(what: string, reading: Promise<T>): Promise<T | null> =>
    withinTime(PATIENCE_MS, reading).catch((err: unknown) => {
      logger.warn({ err }, `cannot read ${what}`);
      return null;
    });

  async function readCluster() {
    const report = await reports.latest();
    return { report, loads: await countCalls(report?.nodes.map(({ name }) => name) ?? []) };
  }

  async function read() {
    const [postgres, redisReached, cluster, counted, alive, backlog, jobs] = await Promise.all([
      reach(needs.postgres),
      reach(needs.redis),
      orNull('what was seen of Proxmox', readCluster()),
      orNull('how many containers there are', counts.latest()),
      orNull('who is there', processes.list()),
      orNull('what waits to be done', readBacklog(database.pool)),
      orNull('the queues', countJobs(queues)),
    ]);
    return viewNodes({
      ...{ now: now(), answeredBy, postgres, redis: redisReached },
      ...{ cluster: cluster?.report ?? null, loads: cluster?.loads ?? null, counts: counted },
      ...{ ours: countOurs(fleet), callsMax: config.proxmox.nodeConcurrency },
      ...{ processes: alive, backlog, queues: jobs && viewQueues(jobs) },
      unseenAfterMs: unseenAfter(config.polls.hostsEveryMs),
    });
  }

  return nodeEndpoints(read);
}

const viewQueues = (counted: Awaited<ReturnType<typeof countJobs>>) =>
  counted.map(({ name, jobs: { waiting, prioritized, ...jobs } }) => ({
    ...{ name, waiting: waiting + prioritized, ...jobs },
  }));

function countOurs(fleet: Pick<Fleet, 'select'>) {
  const counted = new Map<string, { running: number; all: number }>();
  for (const { state } of fleet.select({ customerId: null })) {
    const { node } = state.context;
    if (node === null) continue;
    const { running, all } = counted.get(node) ?? { running: 0, all: 0 };
    const isRunning = nameOf(state.value['host']) === 'running';
    counted.set(node, { running: running + Number(isRunning), all: all + 1 });
  }
  return counted;
}
