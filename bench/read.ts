import type { ChildProcess } from 'node:child_process';
import { on, once } from 'node:events';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { openDatabase } from '../src/storage/database.ts';
import { insertInstances } from './support/instances.ts';
import { compileLives } from './support/lives.ts';
import { MACHINES } from './support/machines.ts';
import { forkScript, hear } from './support/measure.ts';
import type { ReadMessage, ReadOrder } from './support/read-client.ts';
import type { ReadServerHello } from './support/read-server.ts';
import { startServices } from './support/services.ts';
import { count, fixed, formatTable, medianOf, spread } from './support/table.ts';

/**
 * Reads from memory through the whole real path (token, checks, log line), beside (a) a bare
 * node:http server and (b) a bare Express route that answer the same bytes: by turns, in one
 * process, so that a noisy machine treats them alike.
 */

const { values: flags } = parseArgs({
  options: {
    instances: { type: 'string', default: '10000' },
    clients: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '1' },
    /** Which of the contenders to measure, and which of the paths. */
    only: { type: 'string', default: 'real,express,node' },
    path: { type: 'string', default: 'status,list' },
    profile: { type: 'string' },
  },
});

const OWNERS = 100;
const CONTENDERS = ['real', 'express', 'node'] as const;
type Contender = (typeof CONTENDERS)[number];
const TITLES: Readonly<Record<Contender, string>> = {
  real: 'the real path',
  express: '(b) bare Express route',
  node: '(a) bare node:http',
};

type Done = Extract<ReadMessage, { phase: 'done' }>;
interface Measured extends Done {
  readonly serverUs: number;
}

async function fill(databaseUrl: string, instances: number): Promise<number> {
  await using database = openDatabase({
    url: databaseUrl,
    connectionsMax: 2,
    onError: console.error,
  });
  const lives = compileLives('plain', MACHINES.plain);
  const cursors = await insertInstances(database.pool, lives, instances);
  await database.pool.query(
    `UPDATE container_instance
     SET snapshot = jsonb_set(snapshot, '{context,customerId}', to_jsonb('c-' || vmid % $1))`,
    [OWNERS],
  );
  await database.pool.query('VACUUM (ANALYZE) container_instance');
  const first = Number.parseInt(cursors[0]?.id ?? '', 10);
  return Math.ceil(first / OWNERS) * OWNERS;
}

const cpuOf = async (server: ChildProcess): Promise<number> => {
  const heard = hear(server);
  server.send('cpu');
  const { user, system } = (await heard) as NodeJS.CpuUsage;
  return user + system;
};

async function measure(server: ChildProcess, order: ReadOrder): Promise<Measured> {
  const client = forkScript('read-client.ts', [], []);
  const samples: Promise<number>[] = [];
  client.send(order);
  for await (const [message] of on(client, 'message', { close: ['disconnect'] })) {
    const said = message as ReadMessage;
    if (said.phase !== 'done') samples.push(cpuOf(server));
    else {
      const [begin = 0, end = 0] = await Promise.all(samples);
      return { ...said, serverUs: (end - begin) / said.requests };
    }
  }
  throw new Error('the clients ended before they were done');
}

function print(path: string, bytes: number, results: ReadonlyMap<Contender, Measured[]>): void {
  const rate = (contender: Contender) =>
    medianOf((results.get(contender) ?? []).map(({ perSecond }) => perSecond));
  const rows = [...results].map(([contender, all]) => {
    const each = (read: (one: Measured) => number) => all.map(read);
    return [
      TITLES[contender],
      spread(
        each((m) => m.perSecond),
        count,
      ),
      fixed(medianOf(each((m) => m.p50Ms)), 2),
      fixed(medianOf(each((m) => m.p99Ms)), 2),
      fixed(rate(contender) / rate('express'), 2),
      fixed(rate(contender) / rate('node'), 2),
      fixed(medianOf(each((m) => m.serverUs))),
      fixed(medianOf(each((m) => m.cpuUs))),
    ];
  });
  console.log(`\nGET ${path} (${count(bytes)} B), ${flags.clients} clients in flight`);
  const head = ['', 'requests/s', 'p50 ms', 'p99 ms', '×(b)', '×(a)', 'server µs', 'client µs'];
  console.log(formatTable(head, rows));
}

async function main(): Promise<void> {
  await using services = await startServices();
  const instances = Number(flags.instances);
  const vmid = await fill(services.databaseUrl, instances);
  const all = { status: `/api/servers/${vmid}/status`, list: '/api/servers' };
  const paths = flags.path.split(',').map((name) => all[name as keyof typeof all]);
  const profiling = flags.profile ? ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`] : [];
  const { databaseUrl, redisUrl } = services;
  const options = { databaseUrl, redisUrl, customerId: 'c-0', paths };
  const server = forkScript('read-server.ts', [JSON.stringify(options)], profiling);
  const { token, urls, bytes } = (await hear(server)) as ReadServerHello;
  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, ` +
      `Node ${process.versions.node}; ${count(instances)} instances, ${OWNERS} owners`,
  );
  for (const path of paths) {
    const results = new Map<Contender, Measured[]>();
    for (let round = 0; round < Number(flags.rounds); round += 1) {
      for (const contender of CONTENDERS.filter((one) => flags.only.split(',').includes(one))) {
        const measured = await measure(server, {
          url: urls[contender],
          path,
          token,
          clients: Number(flags.clients),
          warmUpMs: Number(flags.warmup) * 1000,
          measureMs: Number(flags.seconds) * 1000,
        });
        results.set(contender, [...(results.get(contender) ?? []), measured]);
      }
    }
    print(path, bytes[path] ?? 0, results);
  }
  const ended = once(server, 'exit');
  server.disconnect();
  await ended;
}

await main();
