import type { LiveFeed, PolledAgent } from '../../storage/live-feed.ts';
import type { AgentTarget, PollTargets } from '../../storage/poll-targets.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Sweeps } from '../workers/sweep.ts';
import { createLanes } from './lanes.ts';
import { type AgentPollOptions, createAgentPoll, PATIENCE_MS } from './poll-agent.ts';
import { beginSpread } from './spread.ts';
import { createTroubles } from './trouble.ts';

export interface AgentSweepOptions extends AgentPollOptions {
  readonly targets: Pick<PollTargets, 'listAgents'>;
  readonly live: Pick<LiveFeed, 'publish' | 'loadPolled'>;
  readonly shards: number;
  /** Polls in flight in this process, of agents that answer. */
  readonly concurrency: number;
  /** So long it takes until the last poll of a shard has begun; they begin all at once without. */
  readonly spreadMs?: number;
  readonly logger: Logger;
}

/** A silent agent costs a socket and no work, so there is more room for those. */
const SUSPECTS_PER_HEALTHY = 4;
/** What is known that much later is still known before the next poll. */
const LATE_MS = 50;

const isSuspect = (before: PolledAgent | undefined) =>
  before !== undefined && (before.misses > 0 || before.isSlow);

/**
 * Polls the agents of one shard. A sweep ends when those have been polled that answer: the silent
 * go on by themselves, and are left alone until they are through. What was heard is published in
 * batches, before anybody counts misses again.
 */
export function createAgentSweep(options: AgentSweepOptions) {
  const { targets, live, shards, concurrency, spreadMs = 0, logger } = options;
  const poll = createAgentPoll(options);
  const lanes = createLanes({
    healthyMax: concurrency,
    suspectsMax: concurrency * SUSPECTS_PER_HEALTHY,
    patienceMs: PATIENCE_MS,
  });
  const troubles = createTroubles(logger, 'agents could not be polled');
  let noted = new Map<number, PolledAgent>();
  let isFlushDue = false;

  function flush(): void {
    troubles.log();
    const agents = [...noted];
    noted = new Map();
    if (agents.length > 0) live.publish({ agents, hosts: [] });
  }

  /** For those that end after their sweep: what hangs together ends together. */
  function flushSoon(shutdown: AbortSignal): void {
    if (isFlushDue) return;
    isFlushDue = true;
    const timer = setTimeout(() => {
      isFlushDue = false;
      if (!shutdown.aborted) flush();
    }, LATE_MS);
    timer.unref();
  }

  return async (index: number, shutdown: AbortSignal): Promise<void> => {
    let isOver = false;
    const agents = await targets.listAgents({ index, count: shards });
    flush();
    // Readiness does not depend on Redis: without it, misses are counted from the beginning.
    const known = await troubles.collect(live.loadPolled(agents.map(({ vmid }) => vmid)));
    const begin = (target: AgentTarget) => {
      const before = known?.get(target.vmid);
      const note = (polled: PolledAgent) => {
        noted.set(target.vmid, polled);
        if (isOver) flushSoon(shutdown);
      };
      const work = async () => {
        if (!shutdown.aborted) await troubles.collect(poll(target, before, note, shutdown));
      };
      return isSuspect(before)
        ? lanes.runSuspect(target.vmid, work)
        : lanes.runHealthy(target.vmid, work);
    };
    await beginSpread(agents, begin, { spreadMs, shutdown });
    isOver = true;
    flush();
  };
}

/** One sweep for each shard, spread over the interval: agents and database feel no waves. */
export function inShards(
  sweep: (index: number, shutdown: AbortSignal) => Promise<void>,
  { shards, everyMs }: { readonly shards: number; readonly everyMs: number },
): Sweeps {
  return Object.fromEntries(
    Array.from({ length: shards }, (_, index) => [
      // Nodes that count differently, for a moment, do not take one shard for another.
      `agents-${index}-of-${shards}`,
      {
        everyMs,
        offsetMs: Math.ceil((everyMs * (index + 0.5)) / shards),
        run: (shutdown: AbortSignal) => sweep(index, shutdown),
      },
    ]),
  );
}
