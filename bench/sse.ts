import type { ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { Redis } from 'ioredis';

import { freePort } from '../lab/services/free-port.ts';
import { createChangeFeed } from '../src/storage/change-feed.ts';
import { openDatabase } from '../src/storage/database.ts';
import { createFleetWriter, idOf } from '../tests/support/fleet-writer.ts';
import { forkScript, hear } from './support/measure.ts';
import { startServices } from './support/services.ts';
import { signIn } from './support/sign-in.ts';
import type { SseCommand, SseReport } from './support/sse-client.ts';
import type { SseServerOptions } from './support/sse-server.ts';
import { count, fixed } from './support/table.ts';

/**
 * Clients that all watch everything, changes at a steady rate by another node, and a restart of
 * the node that streams: every client must see every change once, in order.
 */

const { values: flags } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    changes: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '10' },
    processes: { type: 'string', default: '2' },
    restart: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const INSTANCES = 500;
const COMMITS_PER_S = 40;
const SECRET = 'bench-secret-bench-secret-bench-secret';

async function startServer(options: SseServerOptions): Promise<ChildProcess> {
  const server = forkScript('sse-server.ts', [JSON.stringify(options)], []);
  await hear(server);
  return server;
}

async function cpuOf(server: ChildProcess): Promise<number> {
  const heard = hear(server);
  server.send('cpu');
  const { user, system } = (await heard) as NodeJS.CpuUsage;
  return (user + system) / 1e6;
}

async function endServer(server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.send('end');
  await ended;
}

async function connectAll(clients: readonly ChildProcess[], order: SseCommand): Promise<void> {
  await Promise.all(
    clients.map(async (client) => {
      client.send(order);
      for await (const [message] of on(client, 'message')) {
        const { connected } = message as { connected?: number };
        if ('clients' in order && connected === order.clients) return;
      }
    }),
  );
}

async function report(client: ChildProcess, finish: number): Promise<SseReport> {
  client.send({ finish } satisfies SseCommand);
  for await (const [message] of on(client, 'message', { close: ['exit'] })) {
    if ('latenciesMs' in (message as object)) return message as SseReport;
  }
  throw new Error('the clients ended without a report');
}

function print(reports: readonly SseReport[], facts: Readonly<Record<string, string>>): void {
  const sum = (read: (one: SseReport) => number) =>
    reports.reduce((total, one) => total + read(one), 0);
  const latencies = reports.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
  const at = (share: number) => count(latencies[Math.floor(latencies.length * share)] ?? 0);
  const lines = {
    ...facts,
    delivered: `${count(sum((r) => r.received))} events, ${count(sum((r) => r.bytes) / 1e6)} MB`,
    'gaps, duplicates, unfinished clients': `${sum((r) => r.gaps)}, ${sum((r) => r.duplicates)}, ${sum((r) => r.unfinished)}`,
    reconnects: String(sum((r) => r.reconnects)),
    'commit to client, ms': `p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(0.999_999)}`,
    'CPU of the clients': `${fixed(sum((r) => r.cpuS))} s`,
  };
  for (const [name, value] of Object.entries(lines)) console.log(`${name}: ${value}`);
}

async function main(): Promise<void> {
  await using services = await startServices();
  const { databaseUrl, redisUrl } = services;
  await using database = openDatabase({
    url: databaseUrl,
    connectionsMax: 4,
    onError: console.error,
  });
  const redis = new Redis(redisUrl);
  const prefix = 'bench-sse';
  const feed = createChangeFeed({
    publisher: redis,
    subscriber: redis.duplicate({ lazyConnect: true }),
    channel: `${prefix}:changed`,
    onError: console.error,
  });
  const writer = createFleetWriter(database);
  const vmids = Array.from({ length: INSTANCES }, (_, index) => 5000 + index);
  await writer.create(vmids.map((vmid) => ({ vmid, customerId: `c-${vmid % 50}` })));
  const options = { databaseUrl, redisUrl, prefix, port: await freePort(), secret: SECRET };
  let server = await startServer(options);
  const admin = { secret: SECRET, users: ['u-admin'], role: 'admin' } as const;
  const [token = ''] = await signIn(database, admin);
  const each = Number(flags.clients) / Number(flags.processes);
  const clients = Array.from({ length: Number(flags.processes) }, () =>
    forkScript('sse-client.ts', [], []),
  );
  await connectAll(clients, { port: options.port, token, clients: each, after: INSTANCES });

  const perCommit = Math.max(1, Math.round(Number(flags.changes) / COMMITS_PER_S));
  const commits = Number(flags.seconds) * COMMITS_PER_S;
  const begunAt = performance.now();
  let serverS = 0;
  let restarting: Promise<void> | undefined;
  async function restart(): Promise<void> {
    serverS += await cpuOf(server);
    await endServer(server);
    server = await startServer(options);
  }
  for (let nth = 0; nth < commits; nth += 1) {
    if (flags.restart && nth === Math.floor(commits / 2)) restarting = restart();
    const some = Array.from(
      { length: perCommit },
      (_, index) => vmids[(nth * perCommit + index) % INSTANCES] as number,
    );
    const versions = await writer.change(some);
    feed.publish(some.map((vmid, index) => ({ id: idOf(vmid), version: versions[index] ?? 0 })));
    await delay(Math.max(0, begunAt + ((nth + 1) * 1_000) / COMMITS_PER_S - performance.now()));
  }
  const elapsedS = (performance.now() - begunAt) / 1_000;
  await restarting;
  const last = INSTANCES + commits * perCommit;
  const reports = await Promise.all(clients.map((client) => report(client, last)));
  serverS += await cpuOf(server);
  print(reports, {
    run: `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, Node ${process.versions.node}`,
    clients: `${flags.clients}, all of them watching all ${INSTANCES} instances`,
    changes: `${count(commits * perCommit)} in ${fixed(elapsedS)} s (${fixed((commits * perCommit) / elapsedS, 0)}/s)${flags.restart ? ', with a restart of the node half-way' : ''}`,
    'CPU of the node': `${fixed(serverS)} s`,
  });
  await endServer(server);
  redis.disconnect();
}

await main();
