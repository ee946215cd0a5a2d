import { randomBytes } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { createActorSystem } from '../src/actors/system.ts';
import { createAgentClient } from '../src/clients/agent/client.ts';
import { definitions } from '../src/machines/index.ts';
import type { Polled } from '../src/queues/polls/poll-agent.ts';
import { createAgentSweep, inShards } from '../src/queues/polls/sweep-agents.ts';
import { createTell } from '../src/queues/polls/tell.ts';
import { createQueues } from '../src/queues/queues.ts';
import { startWorkers } from '../src/queues/start-workers.ts';
import type { Sweeps } from '../src/queues/workers/sweep.ts';
import { createActorStore } from '../src/storage/actor-store.ts';
import { openDatabase } from '../src/storage/database.ts';
import { createLiveFeed } from '../src/storage/live-feed.ts';
import { createPollTargets } from '../src/storage/poll-targets.ts';
import { createLogger } from '../src/telemetry/logger.ts';
import { sampleCpu, secondsOf } from './support/cpu.ts';
import { forkScript, hear } from './support/measure.ts';
import type { AgentsCommand, AgentsReport } from './support/poll-agents.ts';
import { createFloor } from './support/poll-floor.ts';
import { insertServing, ipOf } from './support/polled-fleet.ts';
import { startServices } from './support/services.ts';
import { count, fixed, formatTable, medianOf } from './support/table.ts';

/**
 * What polling a fleet costs, against bare sockets that ask the same agents the same questions;
 * whether the fleet is polled in its time by one worker; and what agents that hang do to those
 * that answer. `npm run bench:poll -- 10000`
 */

const INSTANCES = Number(process.argv[2] ?? 10_000);
const EVERY_MS = 5_000;
const SHARDS = 8;
const CONCURRENCY = 256;
const ROUNDS = 3;
const SCHEDULED_MS = 30_000;
const HANG_EVERY = 10;

const IDLE: Sweeps = { idle: { everyMs: 3_600_000, run: async () => {} } };
const never = new AbortController().signal;

async function startWorld() {
  await using opened = new AsyncDisposableStack();
  const { databaseUrl, redisUrl } = opened.use(await startServices());
  const agents = forkScript('poll-agents.ts', []);
  opened.defer(() => agents.disconnect());
  const onError = (error: unknown) => console.error(String(error));
  const { pool } = opened.use(openDatabase({ url: databaseUrl, connectionsMax: 12, onError }));
  const connect = () => {
    const redis = new Redis(redisUrl, { maxRetriesPerRequest: null });
    opened.defer(() => redis.disconnect());
    return redis;
  };
  const [publisher, subscriber] = [connect(), connect()];
  const prefix = `bench-${randomBytes(4).toString('hex')}`;
  const live = createLiveFeed({ publisher, subscriber, prefix, onError });
  const queues = opened.use(createQueues({ connection: publisher, prefix, onError }));
  const closing = opened.move();
  return {
    ...{ pool, redis: publisher, redisUrl, prefix, live, queues },
    async command(hangEvery: number): Promise<AgentsReport> {
      const heard = hear(agents);
      agents.send({ hangEvery } satisfies AgentsCommand);
      return (await heard) as AgentsReport;
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

type World = Awaited<ReturnType<typeof startWorld>>;

function createPoller({ pool, live }: World, port: number) {
  const agents = createAgentClient({ port, timeoutMs: 5_000 });
  const polled: Polled[] = [];
  const nodeId = 'bench';
  const actors = createActorSystem({
    ...{ store: createActorStore(pool), definitions, now: Date.now, nodeId },
  });
  const sweep = createAgentSweep({
    targets: createPollTargets(pool),
    ...{ live, agents, tell: createTell(actors), now: Date.now, logger: createLogger('warn') },
    ...{ shards: SHARDS, timeoutMs: 2_000, concurrency: CONCURRENCY, missesMax: 3 },
    onPoll: (poll) => polled.push(poll),
  });
  return { sweep, polled, [Symbol.asyncDispose]: () => agents[Symbol.asyncDispose]() };
}

/** Wall and CPU time of this process for one round over all agents. */
async function measure(round: () => Promise<unknown>) {
  const [begunAt, cpu] = [performance.now(), process.cpuUsage()];
  await round();
  const seconds = (performance.now() - begunAt) / 1000;
  return { perSecond: INSTANCES / seconds, perCore: INSTANCES / secondsOf(process.cpuUsage(cpu)) };
}

async function compare(world: World, port: number): Promise<void> {
  const ips = Array.from({ length: INSTANCES }, (_, index) => ipOf(index));
  using floor = createFloor(port, ips);
  await using poller = createPoller(world, port);
  const sweepAll = async () => {
    for (let index = 0; index < SHARDS; index += 1) await poller.sweep(index, never);
  };
  const ways = [
    ['bare sockets', () => floor.sweep(CONCURRENCY)],
    ['polls', sweepAll],
  ] as const;
  // The first round opens the connections.
  for (const [, round] of ways) await round();
  const asked: Record<string, number> = {};
  const results = new Map<string, Awaited<ReturnType<typeof measure>>[]>();
  for (let time = 0; time < ROUNDS; time += 1) {
    for (const [name, round] of ways) {
      const before = (await world.command(0)).answers;
      results.set(name, [...(results.get(name) ?? []), await measure(round)]);
      asked[name] = (await world.command(0)).answers - before;
    }
  }
  const rows = [...results].map(([name, times]) => [
    name,
    count(medianOf(times.map(({ perSecond }) => perSecond))),
    count(medianOf(times.map(({ perCore }) => perCore))),
    count(asked[name] ?? 0),
  ]);
  console.log(`\nOne round over ${count(INSTANCES)} agents, as fast as it goes (median of 3)`);
  console.log(formatTable(['', 'agents/s', 'agents/s/core', 'requests'], rows));
}

interface Ran {
  readonly index: number;
  readonly ms: number;
}

/** As in production: BullMQ begins each shard in its time. */
async function schedule(world: World, port: number, hangEvery: number): Promise<string[]> {
  await using poller = createPoller(world, port);
  const ran: Ran[] = [];
  const polls: Sweeps = inShards(
    async (index, shutdown) => {
      const begunAt = performance.now();
      await poller.sweep(index, shutdown);
      ran.push({ index, ms: performance.now() - begunAt });
    },
    { shards: SHARDS, everyMs: EVERY_MS },
  );
  await world.command(hangEvery);
  await using _ = await startWorkers({
    ...{ connection: { url: world.redisUrl }, prefix: world.prefix, queues: world.queues },
    ...{ concurrency: 1, lockMs: 9_000, logger: createLogger('warn'), sweeps: IDLE, polls },
    performEffect: async () => {},
    deliverTimer: async () => {},
  });
  // Connections are opened, and whoever hangs is known to, before anything is counted.
  await delay(3 * EVERY_MS);
  ran.length = 0;
  poller.polled.length = 0;
  const before = { ...(await sampleCpu(world.pool, world.redis)), cpu: process.cpuUsage() };
  const agentsBefore = (await world.command(hangEvery)).cpu;
  await delay(SCHEDULED_MS);
  const polled = [...poller.polled];
  const agents = secondsOf((await world.command(hangEvery)).cpu) - secondsOf(agentsBefore);
  const ours = secondsOf(process.cpuUsage(before.cpu));
  const after = await sampleCpu(world.pool, world.redis);
  const cores = (seconds: number) => fixed(seconds / (SCHEDULED_MS / 1000), 2);
  const heard = polled.filter(({ answer }) => answer === 'heard').map(({ ms }) => ms);
  heard.sort((a, b) => a - b);
  const at = (share: number) => fixed(heard[Math.floor(heard.length * share)] ?? Number.NaN);
  return [
    hangEvery === 0 ? 'all answer' : `1 of ${hangEvery} hangs`,
    fixed(heard.length / (SCHEDULED_MS / EVERY_MS) / INSTANCES, 3),
    `${at(0.5)} / ${at(0.99)} / ${at(1 - 1 / heard.length)}`,
    count(Math.max(...ran.map(({ ms }) => ms))),
    cores(ours),
    cores(agents),
    cores(after.postgres - before.postgres),
    cores(after.redis - before.redis),
  ];
}

async function main(): Promise<void> {
  await using world = await startWorld();
  await insertServing(world.pool, INSTANCES);
  const { port } = await world.command(0);
  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, ` +
      `Node ${process.versions.node}, load average ${loadavg()
        .map((one) => fixed(one))
        .join(' ')}`,
  );
  await compare(world, port);
  const rows = [await schedule(world, port, 0), await schedule(world, port, HANG_EVERY)];
  console.log(
    `\n${count(INSTANCES)} agents every ${EVERY_MS / 1000} s by one worker, for ${SCHEDULED_MS / 1000} s`,
  );
  const latency = 'ms p50 / p99 / max';
  const head = ['', 'heard per agent and interval', latency, 'longest sweep ms'];
  console.log(formatTable([...head, 'worker cores', 'agents', 'PostgreSQL', 'Redis'], rows));
}

await main();
