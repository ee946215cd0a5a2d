import { type ChildProcess, fork } from 'node:child_process';
import { on, once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Redis } from 'ioredis';
import { Pool } from 'pg';

import { type CpuSample, coresOfMachine, sampleCpu, secondsOf } from './cpu.ts';
import type { ClientMessage, ClientOrder } from './http-client.ts';
import type { ServerCommand, ServerHello, ServerReport } from './http-server.ts';
import type { Cursor } from './lives.ts';
import { type Figures, type Load, runLoad } from './load.ts';
import { type CommitCounts, deliver, type Node, type NodeOptions, recall } from './node.ts';
import type { Services } from './services.ts';

export interface Measured extends Figures {
  /** Events of a commit, on average; 0: not known. */
  readonly batch: number;
  readonly conflicts: number;
  /** The average wait for a commit. */
  readonly commitMs: number;
  /** What the rest of the machine's work took of its CPU, 0 to 1. */
  readonly others: number;
  /** CPU for one event, µs. */
  readonly cpuUs: Readonly<Record<Part, number>>;
}

interface Sample extends CpuSample {
  readonly node: number;
  readonly clients: number;
  readonly counts: CommitCounts;
  readonly at: number;
}

const PARTS = ['node', 'clients', 'postgres', 'redis'] as const;
type Part = (typeof PARTS)[number];

const average = (count: number, total: number) => (count === 0 ? 0 : total / count);

function toMeasured(figures: Figures, begin: Sample, end: Sample): Measured {
  const spent = (part: Part | 'machine') => end[part] - begin[part];
  const per = (part: Part) => (spent(part) / figures.events) * 1e6;
  const ours = PARTS.reduce((sum, part) => sum + spent(part), 0);
  const available = ((end.at - begin.at) / 1000) * coresOfMachine();
  const commits = end.counts.commits - begin.counts.commits;
  return {
    ...figures,
    batch: average(commits, end.counts.steps - begin.counts.steps),
    conflicts: end.counts.conflicts,
    others: (spent('machine') - ours) / available,
    commitMs: average(commits, end.counts.ms - begin.counts.ms),
    cpuUs: {
      node: per('node'),
      clients: per('clients'),
      postgres: per('postgres'),
      redis: per('redis'),
    },
  };
}

const NO_COUNTS: CommitCounts = { commits: 0, steps: 0, conflicts: 0, ms: 0 };

export interface Gauges extends AsyncDisposable {
  /** In this process, clients and all; the clients cost next to nothing. */
  inProcess(node: Node, load: Load): Promise<Measured>;
  /** Any other way to take an event, in this process. */
  contender(load: Load, send: Parameters<typeof runLoad>[1]): Promise<Measured>;
  /** Something that counts by itself. */
  whole(run: () => Promise<Figures>): Promise<Measured>;
  http(server: HttpServer, load: Load): Promise<{ measured: Measured; cursors: readonly Cursor[] }>;
}

export function createGauges({ databaseUrl, redisUrl }: Services): Gauges {
  // A connection of its own: a look must not wait behind what is looked at.
  const pool = new Pool({ connectionString: databaseUrl, max: 1, idleTimeoutMillis: 0 });
  pool.on('error', (error) => console.error(String(error)));
  const redis = new Redis(redisUrl);
  const services = () => sampleCpu(pool, redis);

  async function sampleHere(counts: CommitCounts): Promise<Sample> {
    const node = secondsOf(process.cpuUsage());
    const at = performance.now();
    return { node, clients: 0, counts, at, ...(await services()) };
  }

  async function here(load: Load, send: Parameters<typeof runLoad>[1], counts: () => CommitCounts) {
    const samples: Promise<Sample>[] = [];
    const figures = await runLoad(load, send, () => samples.push(sampleHere(counts())));
    const [begin, end] = await Promise.all(samples);
    return toMeasured(figures, begin as Sample, end as Sample);
  }

  return {
    async inProcess(node, load) {
      await recall(
        node.actors,
        load.cursors.map(({ id }) => id),
      );
      return here(load, (sending) => deliver(node.actors, sending), node.counts);
    },
    contender: (load, send) => here(load, send, () => NO_COUNTS),
    async whole(run) {
      const begin = await sampleHere(NO_COUNTS);
      const figures = await run();
      return toMeasured(figures, begin, await sampleHere(NO_COUNTS));
    },
    async http(server, load) {
      await server.report({ do: 'recall', ids: load.cursors.map(({ id }) => id) });
      const client = forkScript('http-client.ts', []);
      const samples: Promise<Sample>[] = [];
      const order: ClientOrder = { ...load, ...server.hello };
      client.send(order as never);
      // A queue of messages: two that come together are both heard.
      for await (const [message] of on(client, 'message', { close: ['disconnect'] })) {
        const heard = message as ClientMessage;
        if (heard.phase === 'done') {
          const [begin, end] = await Promise.all(samples);
          const measured = toMeasured(heard.figures, begin as Sample, end as Sample);
          return { measured, cursors: heard.cursors };
        }
        const clients = secondsOf(heard.cpu);
        const at = performance.now();
        samples.push(
          Promise.all([server.report({ do: 'report' }), services()]).then(([report, others]) => ({
            ...others,
            at,
            clients,
            node: secondsOf(report.cpu),
            counts: report.counts,
          })),
        );
      }
      throw new Error('the clients ended before they were done');
    },
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await pool.end();
    },
  };
}

export interface HttpServer extends AsyncDisposable {
  readonly hello: ServerHello;
  report(command: ServerCommand): Promise<ServerReport>;
}

export function forkScript(
  name: string,
  args: readonly string[],
  execArgv: readonly string[] = process.execArgv,
) {
  return fork(fileURLToPath(new URL(name, import.meta.url)), args, {
    execArgv: [...execArgv],
    // Its log lines go nowhere, but are written.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** @throws Error if the process ends instead of saying something. */
export async function hear(child: ChildProcess): Promise<unknown> {
  const heard = new AbortController();
  const ended = once(child, 'exit', { signal: heard.signal }).then(([code]) => {
    throw new Error(`a process of the bench ended by itself, code ${code}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message'), ended]);
    return message;
  } finally {
    ended.catch(() => {});
    heard.abort();
  }
}

/** `profileTo`: a folder for a CPU profile of the server. */
export async function startHttpServer(
  options: NodeOptions,
  profileTo?: string,
): Promise<HttpServer> {
  const flags = profileTo === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileTo}`];
  const child: ChildProcess = forkScript('http-server.ts', [JSON.stringify(options)], flags);
  const hello = (await hear(child)) as ServerHello;
  return {
    hello,
    async report(command) {
      const answer = hear(child);
      child.send(command);
      return (await answer) as ServerReport;
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.send({ do: 'end' } satisfies ServerCommand);
      await ended;
    },
  };
}
