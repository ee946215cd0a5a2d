import { z } from 'zod';

import type { Backlog } from '../storage/backlog.ts';
import type { ClusterReport, ContainerCounts, SightedNode } from '../storage/cluster-nodes.ts';
import type { Reached, ServiceProcess } from '../storage/processes.ts';

/** What administrators see of the nodes of Proxmox and of the processes of this service. */

const date = z.iso.datetime();
const count = z.int();
const share = z.number().nullable();
const ageMs = z.number().nullable().describe('null: never');

const reachedView = z
  .object({ reachable: z.boolean(), latencyMs: z.number() })
  .meta({ id: 'Reached', description: 'Whether it has answered, and after what time' });

const hostNodeView = z
  .object({
    name: z.string(),
    state: z
      .enum(['online', 'offline', 'unlisted', 'unknown'])
      .describe('`unlisted`: the cluster does not know it any more; `unknown`: nobody can tell'),
    unknownSince: date.nullable().describe('When it was last heard of, if nobody can tell now'),
    onlineAt: date.nullable().describe('When it was last seen online; null: not of late'),
    onlineAgeMs: ageMs,
    cpu: share.describe('Share of its cores, 0 to 1. As the following, of when it was online'),
    maxcpu: z.number().nullable().describe('Cores'),
    mem: z.number().nullable().describe('Bytes, as maxmem'),
    maxmem: z.number().nullable(),
    uptime: z.number().nullable().describe('Seconds'),
    containers: z
      .object({ running: count, all: count, countedAt: date, ageMs: z.number() })
      .nullable()
      .describe('Of whomever; null: they were not counted of late'),
    ours: z.object({ running: count, all: count }).describe('Instances, as we know them'),
    calls: z
      .object({ inFlight: count.nullable().describe('null: Redis does not say'), max: count })
      .describe('Changes of power that it is at, and how many it may be at'),
  })
  .meta({ id: 'HostNode' });

const processView = z
  .object({
    id: z.string(),
    role: z.enum(['api', 'worker', 'all']),
    version: z.string(),
    host: z.string().describe('The name of its machine'),
    pid: count.describe('Its number there'),
    state: z.enum(['alive', 'silent']),
    unknownSince: date.nullable().describe('When it was last heard of, if it is silent'),
    startedAt: date,
    beatAt: date.describe('When it said all of this'),
    ageMs: z.number().describe('Since then'),
    eventLoop: z
      .object({ meanMs: z.number(), p99Ms: z.number(), maxMs: z.number() })
      .describe('How late its timers are, of its last seconds'),
    memoryBytes: z.number(),
    postgres: reachedView,
    redis: reachedView,
  })
  .meta({ id: 'ServiceProcess', description: 'A process of this service, in its own words' });

const backlogView = z.object({
  effects: count.describe('Effects that have not ended'),
  oldestEffectMs: z.number().describe('0: there are none'),
  timers: count,
  timersOverdue: count,
  debts: count,
});
const queueView = z.object({
  name: z.string(),
  ...{ waiting: count, active: count, delayed: count, failed: count },
});

export const nodesView = z
  .object({
    ok: z.boolean().describe('All of them are there, and whatever they need'),
    observedAt: date,
    answeredBy: z.string().describe('The process that answers, by its id'),
    postgres: reachedView.describe('From the process that answers, just now, as Redis'),
    redis: reachedView,
    cluster: z
      .object({
        checkedAt: date.nullable().describe('When Proxmox last listed its nodes; null: never'),
        ageMs,
        lastError: z
          .object({ code: z.string(), at: date })
          .nullable()
          .describe('Why it did not, also when it is well again'),
        nodes: z.array(hostNodeView),
      })
      .nullable()
      .describe('null: Redis, which keeps what was seen, does not answer, or nobody has looked'),
    processes: z.array(processView).nullable().describe('null: Redis does not answer'),
    backlog: backlogView.nullable().describe('null: PostgreSQL does not answer'),
    queues: z.array(queueView).nullable().describe('null: Redis does not answer'),
  })
  .meta({ id: 'Nodes' });

export type NodesView = z.input<typeof nodesView>;
type HostNode = z.input<typeof hostNodeView>;

export interface Seen {
  readonly now: number;
  readonly answeredBy: string;
  readonly postgres: Reached;
  readonly redis: Reached;
  readonly cluster: ClusterReport | null;
  readonly counts: ContainerCounts | null;
  /** By node: our instances. */
  readonly ours: ReadonlyMap<string, { readonly running: number; readonly all: number }>;
  /** By node: places taken. null: nobody can tell. */
  readonly loads: ReadonlyMap<string, number> | null;
  readonly callsMax: number;
  readonly processes: readonly ServiceProcess[] | null;
  readonly backlog: Backlog | null;
  readonly queues: NodesView['queues'];
  /** A list of the cluster that is older says nothing of now. */
  readonly unseenAfterMs: number;
}

/** So many times it may not say anything before it counts as silent. */
const BEATS_MISSED_MAX = 3;

const since = (now: number, at: string): number => Math.max(0, now - Date.parse(at));
const sinceOrNull = (now: number, at: string | null) => (at === null ? null : since(now, at));
const viewReached = ({ isReachable: reachable, latencyMs }: Reached) => ({ reachable, latencyMs });

export function viewNodes(seen: Seen): NodesView {
  const { now, answeredBy, cluster, backlog, queues } = seen;
  const processes = seen.processes?.map((node) => viewProcess(node, now)) ?? null;
  const nodes = cluster?.nodes.map((node) => viewHost(node, cluster.checkedAt, seen)) ?? [];
  const isWell =
    seen.postgres.isReachable &&
    seen.redis.isReachable &&
    nodes.length > 0 &&
    nodes.every(({ state }) => state === 'online') &&
    processes?.every(({ state, postgres }) => state === 'alive' && postgres.reachable) === true;
  return {
    ok: isWell,
    observedAt: new Date(now).toISOString(),
    answeredBy,
    postgres: viewReached(seen.postgres),
    redis: viewReached(seen.redis),
    cluster: cluster && {
      checkedAt: cluster.checkedAt,
      ageMs: sinceOrNull(now, cluster.checkedAt),
      lastError: cluster.lastError,
      nodes,
    },
    processes,
    backlog: backlog && {
      ...{ oldestEffectMs: backlog.oldestEffectMs, timers: backlog.timers },
      ...{ timersOverdue: backlog.timersOverdue, debts: backlog.debts },
      effects: backlog.effects.reduce((sum, one) => sum + one.count, 0),
    },
    queues,
  };
}

function viewHost(node: SightedNode, checkedAt: string | null, seen: Seen): HostNode {
  const { now, counts, ours, loads, callsMax, unseenAfterMs } = seen;
  const { state, onlineAt, ...numbers } = node;
  const isOld = checkedAt === null || since(now, checkedAt) > unseenAfterMs;
  const counted = counts && since(now, counts.countedAt) <= unseenAfterMs;
  return {
    ...numbers,
    state: isOld ? 'unknown' : state,
    unknownSince: isOld ? checkedAt : null,
    onlineAt,
    onlineAgeMs: sinceOrNull(now, onlineAt),
    containers: counted
      ? {
          ...(counts.nodes[node.name] ?? { running: 0, all: 0 }),
          countedAt: counts.countedAt,
          ageMs: since(now, counts.countedAt),
        }
      : null,
    ours: ours.get(node.name) ?? { running: 0, all: 0 },
    calls: { inFlight: loads && (loads.get(node.name) ?? 0), max: callsMax },
  };
}

function viewProcess(node: ServiceProcess, now: number) {
  const { everyMs, postgres, redis, ...rest } = node;
  const ageMs = since(now, node.beatAt);
  const isSilent = ageMs > BEATS_MISSED_MAX * everyMs;
  return {
    ...rest,
    ...{ postgres: viewReached(postgres), redis: viewReached(redis) },
    state: isSilent ? ('silent' as const) : ('alive' as const),
    unknownSince: isSilent ? node.beatAt : null,
    ageMs,
  };
}
