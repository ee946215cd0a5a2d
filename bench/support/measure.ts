import { type ChildProcess, fork } from 'node:child_process';
import { on, once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { Redis } from 'ioredis';
import type { Pool } from 'pg';

import { cpuOfPostgres, cpuOfRedis, secondsOf } from './cpu.ts';
import type { ClientMessage, ClientOrder } from './http-client.ts';
import type { ServerCommand, ServerHello, ServerReport } from './http-server.ts';
import type { Cursor } from './lives.ts';
import { type Figures, type Load, runLoad } from './load.ts';
import { type CommitCounts, deliver, type Node, type NodeOptions, recall } from './node.ts';

export interface Measured extends Figures {
  /** Events of a commit, on average; 0: not known. */
  readonly batch: number;
  readonly conflicts: number;
  /** The average wait for a commit. */
  readonly commitMs: number;
  /** CPU for one event, µs. */
  readonly cpuUs: {
    readonly node: number;
    readonly clients: number;
    readonly postgres: number;
    readonly redis: number;
  };
}

interface Sample {
  readonly node: number;
  readonly clients: number;
  readonly postgres: number;
  readonly redis: number;
  readonly counts: CommitCounts;
}

type Probe = () => Promise<Omit<Sample, 'clients'> & { readonly clients?: number }>;

const ms = (count: number, total: number) => (count === 0 ? 0 : total / count);

function toMeasured(figures: Figures, begin: Sample, end: Sample): Measured {
  const per = (part: 'node' | 'clients' | 'postgres' | 'redis') =>
    ((end[part] - begin[part]) / figures.events) * 1e6;
  const commits = end.counts.commits - begin.counts.commits;
  return {
    ...figures,
    batch: ms(commits, end.counts.steps - begin.counts.steps),
    conflicts: end.counts.conflicts,
    commitMs: ms(commits, end.counts.ms - begin.counts.ms),
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
  http(server: HttpServer, load: Load): Promise<{ measured: Measured; cursors: readonly Cursor[] }>;
}

export function createGauges({ pool, redisUrl }: { pool: Pool; redisUrl: string }): Gauges {
  const redis = new Redis(redisUrl);
  const services = async () => ({
    postgres: await cpuOfPostgres(pool),
    redis: await cpuOfRedis(redis),
  });

  async function here(load: Load, send: Parameters<typeof runLoad>[1], counts: () => CommitCounts) {
    const samples: Promise<Sample>[] = [];
    const probe: Probe = async () => {
      const node = secondsOf(process.cpuUsage());
      const counted = counts();
      return { ...(await services()), node, counts: counted };
    };
    const figures = await runLoad(load, send, () =>
      samples.push(probe().then((sample) => ({ clients: 0, ...sample }))),
    );
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
    async http(server, load) {
      await server.report({ do: 'recall', ids: load.cursors.map(({ id }) => id) });
      const client = forkScript('http-client.ts', []);
      const samples: Promise<Sample>[] = [];
      const order: ClientOrder = { ...load, ...server.hello };
      client.send(order as never);
      // A queue of messages: two that come together are both heard.
      for await (const [message] of on(client, 'message', { close: ['exit'] })) {
        const heard = message as ClientMessage;
        if (heard.phase === 'done') {
          const [begin, end] = await Promise.all(samples);
          const measured = toMeasured(heard.figures, begin as Sample, end as Sample);
          return { measured, cursors: heard.cursors };
        }
        const clients = secondsOf(heard.cpu);
        samples.push(
          Promise.all([server.report({ do: 'report' }), services()]).then(([report, others]) => ({
            ...others,
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
    },
  };
}

export interface HttpServer extends AsyncDisposable {
  readonly hello: ServerHello;
  report(command: ServerCommand): Promise<ServerReport>;
}

function forkScript(name: string, args: readonly string[], execArgv = process.execArgv) {
  return fork(fileURLToPath(new URL(name, import.meta.url)), args, {
    execArgv: [...execArgv],
    // Its log lines go nowhere, but are written.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** @throws Error if the process ends instead of saying something. */
async function hear(child: ChildProcess): Promise<unknown> {
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
