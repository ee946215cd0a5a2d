import type { AgentClient } from '../clients/agent/client.ts';
import type { Polled } from '../queues/polls/poll-agent.ts';
import { spreadOf } from '../queues/polls/spread.ts';
import { createAgentSweep, inShards } from '../queues/polls/sweep-agents.ts';
import { createHostSweep } from '../queues/polls/sweep-hosts.ts';
import { createTell } from '../queues/polls/tell.ts';
import type { Sweep, Sweeps } from '../queues/workers/sweep.ts';
import { createPollTargets } from '../storage/poll-targets.ts';
import type { Foundation } from './foundation.ts';

/** What looks at the world by itself: at every agent, and at every container on Proxmox. */
export function createPolls(
  foundation: Foundation,
  agents: AgentClient,
): { readonly hosts: Sweep; readonly agents: Sweeps } {
  const { config, logger, database, proxmox, actors, liveFeed: live, now } = foundation;
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
    hosts: { everyMs: hostsEveryMs, run: createHostSweep({ ...seeing, proxmox }) },
    agents: inShards(
      createAgentSweep({ ...seeing, ...limits, agents, onPoll, spreadMs: spreadOf(config.polls) }),
      { everyMs, shards: limits.shards },
    ),
  };
}
