import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { API_VERSION } from '../http/server.ts';
import { createProcesses, type Reached, type ServiceProcess } from '../storage/processes.ts';
import { withinTime } from '../telemetry/within-time.ts';
import type { Foundation } from './foundation.ts';

const BEAT_MS = 5_000;
const ANSWER_MS = 2_000;
/** How often the loop is looked at; a timer that is on time is this late, as it counts. */
const RESOLUTION_MS = 20;

type Needed = Pick<Foundation, 'database' | 'redis'>;

/** What a process cannot work without, each rejecting if it does not answer. */
export const needsOf = ({ database, redis }: Needed) => ({
  postgres: async () => void (await database.pool.query('SELECT 1')),
  redis: async () => void (await redis.ping()),
});

/** Asks for an answer, and takes the time. What does not come in time does not come. */
export async function reach(ask: () => Promise<void>): Promise<Reached> {
  const from = performance.now();
  const isReachable = await withinTime(ANSWER_MS, ask()).then(
    () => true,
    // Why, its own connection has logged.
    () => false,
  );
  return { isReachable, latencyMs: Math.round((performance.now() - from) * 10) / 10 };
}

type HeartParts = Needed & Pick<Foundation, 'config' | 'logger' | 'nodeId' | 'now'>;

/** Says of this process that it is there and how it is, until it ends. */
export function startHeart(parts: HeartParts): AsyncDisposable {
  const { config, logger, nodeId: id, now, redis } = parts;
  const nodes = createProcesses(redis, config.redis.prefix);
  const needs = needsOf(parts);
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop.enable();
  const lateMs = (ns: number) => Math.max(0, Math.round(ns / 1e5) / 10 - RESOLUTION_MS) || 0;
  const who = {
    ...{ id, role: config.role, version: API_VERSION, host: hostname(), pid: process.pid },
    ...{ startedAt: new Date(now()).toISOString(), everyMs: BEAT_MS },
  };

  async function look(): Promise<ServiceProcess> {
    const eventLoop = {
      meanMs: lateMs(loop.mean),
      p99Ms: lateMs(loop.percentile(99)),
      maxMs: lateMs(loop.max),
    };
    loop.reset();
    const [postgres, redis] = await Promise.all([reach(needs.postgres), reach(needs.redis)]);
    const memoryBytes = process.memoryUsage.rss();
    return {
      ...who,
      eventLoop,
      memoryBytes,
      postgres,
      redis,
      beatAt: new Date(now()).toISOString(),
    };
  }

  let beating: Promise<void> = Promise.resolve();
  const beat = () => {
    beating = look()
      .then((node) => withinTime(ANSWER_MS, nodes.beat(node)))
      // Whoever looks sees that nothing has been heard of it.
      .catch((err: unknown) => logger.warn({ err }, 'cannot say that this process is there'));
  };
  if (redis.status === 'ready') beat();
  else redis.once('ready', beat);
  const timer = setInterval(beat, BEAT_MS);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      redis.off('ready', beat);
      loop.disable();
      await beating;
      await withinTime(ANSWER_MS, nodes.leave(id)).catch((err: unknown) => {
        logger.warn({ err }, 'cannot say that this process ends');
      });
    },
  };
}
