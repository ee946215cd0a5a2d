import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';

import { openDatabase } from '../src/storage/database.ts';
import { createTransactionPerEvent, runUpdateFloor } from './support/contenders.ts';
import { bytesOfSnapshot, insertInstances, verifyInstances } from './support/instances.ts';
import { compileLives, type Life } from './support/lives.ts';
import { MACHINE_NAMES, MACHINES, type MachineName } from './support/machines.ts';
import { createGauges, type Measured, startHttpServer } from './support/measure.ts';
import { startNode } from './support/node.ts';
import { type Services, startServices } from './support/services.ts';
import { count, fixed, formatTable, medianOf, spread } from './support/table.ts';

/**
 * Durable events per second, in-process and through HTTP, beside one transaction per event and
 * the bare UPDATE, all on one database and by turns, so that a noisy machine treats them alike.
 */

const { values: flags } = parseArgs({
  options: {
    machines: { type: 'string', default: MACHINE_NAMES.join(',') },
    instances: { type: 'string', default: '1000,10000' },
    clients: { type: 'string', default: '50,200,1000' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    warmup: { type: 'string', default: '1.5' },
    paths: { type: 'string', default: 'actors,http,tx,update' },
    /** How often to repeat a measure that others have disturbed; it counts in the end. */
    patience: { type: 'string', default: '0' },
    profile: { type: 'string' },
  },
});

/** A measure during which others took more of the machine than this is not a quiet one. */
const QUIET = 0.1;

const PATHS = ['actors', 'http', 'tx', 'update'] as const;
type Path = (typeof PATHS)[number];
const TITLES: Readonly<Record<Path, string>> = {
  actors: 'actors, in process',
  http: 'actors, through HTTP',
  tx: '(a) a transaction per event',
  update: '(b) bare multi-row UPDATE',
};

interface Case {
  readonly machine: MachineName;
  readonly instances: number;
  readonly clients: number;
}

const numbers = (list: string) => list.split(',').map(Number);
const time = {
  warmUpMs: Number(flags.warmup) * 1000,
  measureMs: Number(flags.seconds) * 1000,
};
const isWanted = (path: Path) => flags.paths.split(',').includes(path);

function printMix(machine: MachineName, lives: readonly Life[]): void {
  const beats = lives.flatMap(({ effects, timers, beats }) =>
    beats.map(({ ends }, beat) => ({
      asks: (effects[beat] ?? -1) >= 0,
      ends: ends !== undefined,
      times: (timers[beat] ?? 0) > 0,
      // Instances are shared out evenly, and a round of each life takes its number of beats.
      weight: 1 / beats.length / lives.length,
    })),
  );
  const share = (is: (beat: (typeof beats)[number]) => boolean) =>
    `${fixed(100 * beats.filter(is).reduce((sum, { weight }) => sum + weight, 0), 0)}%`;
  const regions = Object.keys(MACHINES[machine].machine.config.states ?? {});
  console.log(
    `machine "${machine}": ${regions.length} regions (${regions.join(', ')}), ` +
      `snapshot ${bytesOfSnapshot(lives)} B; every event is a step that writes; ` +
      `${share(({ asks }) => asks)} ask for an effect, ${share(({ ends }) => ends)} end one, ` +
      `${share(({ times }) => times)} arm or disarm timers`,
  );
}

async function measureCases(services: Services, machine: MachineName): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const lives = compileLives(machine, MACHINES[machine]);
  printMix(machine, lives);
  const options = { ...services, machine };
  const node = opened.use(await startNode(options));
  const server = isWanted('http')
    ? opened.use(await startHttpServer(options, flags.profile))
    : null;
  const database = opened.use(
    openDatabase({ url: services.databaseUrl, connectionsMax: 12, onError: console.error }),
  );
  const { pool } = database;
  const gauges = opened.use(createGauges(services));
  const perEvent = await createTransactionPerEvent(pool, machine);

  async function measure(path: Path, { instances, clients }: Case, batch: number) {
    const cursors = await insertInstances(pool, lives, instances);
    const load = { lives, cursors, clients, ...time };
    if (path === 'update') {
      const ids = cursors.map(({ id }) => id);
      const floor = { lives, ids, batch, measureMs: time.measureMs };
      const measured = await gauges.whole(() => runUpdateFloor(pool, floor));
      return { ...measured, batch, commitMs: measured.p50Ms };
    }
    if (path === 'http' && server) {
      const { measured, cursors: moved } = await gauges.http(server, load);
      await verifyInstances(pool, moved);
      return measured;
    }
    const measured =
      path === 'tx' ? await gauges.contender(load, perEvent) : await gauges.inProcess(node, load);
    await verifyInstances(pool, cursors);
    return measured;
  }

  async function measureCase(one: Case): Promise<ReadonlyMap<Path, readonly Measured[]>> {
    const results = new Map<Path, Measured[]>();
    for (let round = 0; round < Number(flags.rounds); round += 1) {
      let batch = one.clients;
      for (const path of PATHS.filter(isWanted)) {
        let measured = await measure(path, one, Math.round(batch));
        for (let left = Number(flags.patience); left > 0 && measured.others > QUIET; left -= 1) {
          measured = await measure(path, one, Math.round(batch));
        }
        if (path === 'actors') batch = measured.batch;
        results.set(path, [...(results.get(path) ?? []), measured]);
      }
    }
    return results;
  }

  const cases = numbers(flags.instances).flatMap((instances) =>
    numbers(flags.clients).map((clients) => ({ machine, instances, clients })),
  );
  // Code that has not run yet is slow; nobody asks how slow.
  for (const path of ['actors', 'http'] as const) {
    if (cases[0] && isWanted(path)) await measure(path, cases[0], 1);
  }
  for (const one of cases) printCase(one, await measureCase(one));
}

function printCase(
  { machine, instances, clients }: Case,
  results: ReadonlyMap<Path, readonly Measured[]>,
): void {
  const rate = (path: Path) =>
    medianOf((results.get(path) ?? []).map(({ perSecond }) => perSecond));
  const rows = [...results].map(([path, all]) => {
    const each = (read: (one: Measured) => number) => all.map(read);
    const cpu = (part: keyof Measured['cpuUs']) => fixed(medianOf(each((m) => m.cpuUs[part])), 0);
    return [
      TITLES[path],
      spread(
        each((m) => m.perSecond),
        count,
      ),
      fixed(medianOf(each((m) => m.p50Ms))),
      spread(
        each((m) => m.p99Ms),
        fixed,
      ),
      fixed(rate(path) / rate('tx'), 2),
      fixed(rate(path) / rate('update'), 2),
      fixed(medianOf(each((m) => m.batch)), 0),
      fixed(medianOf(each((m) => m.commitMs))),
      `${cpu('node')}/${cpu('clients')}/${cpu('postgres')}/${cpu('redis')}`,
      count(Math.max(...each((m) => m.conflicts))),
      `${fixed(100 * Math.max(0, ...each((m) => m.others)), 0)}%`,
    ];
  });
  const load = loadavg().map((one) => fixed(one));
  console.log(
    `\n${machine} machine, ${count(instances)} instances, ${count(clients)} clients in flight` +
      ` (load average ${load.join(' ')})`,
  );
  const head = [
    'path',
    'events/s',
    'p50 ms',
    'p99 ms',
    '×(a)',
    '×(b)',
    'batch',
    'commit ms',
    'CPU µs node/clients/pg/redis',
    'conflicts',
    'others',
  ];
  console.log(formatTable(head, rows));
}

async function main(): Promise<void> {
  await using services = await startServices();
  await using database = openDatabase({
    url: services.databaseUrl,
    connectionsMax: 1,
    onError: console.error,
  });
  const settings = ['server_version', 'synchronous_commit', 'fsync', 'max_wal_size'];
  const shown = await Promise.all(
    settings.map(async (name) => {
      const { rows } = await database.pool.query(`SHOW ${name}`);
      return `${name}=${Object.values(rows[0] as object)[0]}`;
    }),
  );
  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, ` +
      `Node ${process.versions.node}, PostgreSQL ${shown.join(', ')}`,
  );
  for (const machine of MACHINE_NAMES.filter((name) => flags.machines.split(',').includes(name))) {
    await measureCases(services, machine);
  }
}

await main();
