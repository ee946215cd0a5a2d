import type { AgentClient } from '../clients/agent/client.ts';
import type { Polled } from '../queues/polls/poll-agent.ts';
import { spreadOf } from '../queues/polls/spread.ts';
import { createAgentSweep, inShards } from '../queues/polls/sweep-agents.ts';
import { createHostSweep } from '../queues/polls/sweep-hosts.ts';
import { createNodeSweep } from '../queues/polls/sweep-nodes.ts';
import { createTell } from '../queues/polls/tell.ts';
import type { Sweeps } from '../queues/workers/sweep.ts';
import { createClusterReports, createContainerCounts } from '../storage/cluster-nodes.ts';
import { createPollTargets } from '../storage/poll-targets.ts';
import type { Foundation } from './foundation.ts';

/** So many looks may fail before what they saw last is not shown as true any more. */
const UNSEEN_LOOKS = 4;
const UNSEEN_MIN_MS = 30_000;

export const unseenAfter = (...pausesMs: readonly number[]): number =>
  Math.max(UNSEEN_MIN_MS, UNSEEN_LOOKS * Math.max(...pausesMs));

/** What looks at the world by itself: at every agent, and at all of Proxmox. */
export function createPolls(
  foundation: Foundation,
  agents: AgentClient,
): { readonly cluster: Sweeps; readonly agents: Sweeps } {
  const { config, logger, database, proxmox, redis, actors, liveFeed: live, now } = foundation;
  const { prefix } = config.redis;
  const { everyMs, hostsEveryMs, ...limits } = config.polls;
  const seeing = {
    targets: createPollTargets(database.pool),
    tell: createTell(actors),
    live,
    now,
    logger,
  };
  const onPoll = ({ answer, condition, ms }: Polled) =>
    foundation.metrics.observePoll(ms, answer === 'heard' ? condition : answer);
  return {
    cluster: {
      hosts: {
        everyMs: hostsEveryMs,
        run: createHostSweep({ ...seeing, proxmox, counts: createContainerCounts(redis, prefix) }),
      },
      nodes: {
        everyMs: hostsEveryMs,
        run: createNodeSweep({ proxmox, reports: createClusterReports(redis, prefix), now }),
      },
    },
    agents: inShards(
      createAgentSweep({ ...seeing, ...limits, agents, onPoll, spreadMs: spreadOf(config.polls) }),
      { everyMs, shards: limits.shards },
    ),
  };
}
