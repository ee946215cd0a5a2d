import assert from 'node:assert/strict';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import type { Pool } from 'pg';

import { openDatabase } from '../src/storage/database.ts';
import { forkScript, hear } from './support/measure.ts';
import { insertRegistered } from './support/registered.ts';
import { sendReports, type Told } from './support/report-load.ts';
import type { ReportsServerHello } from './support/reports-server.ts';
import { startServices } from './support/services.ts';
import { count, fixed, formatTable } from './support/table.ts';

/**
 * What the bridge of Velocity reports, at a fixed rate, with duplicates, late ones and in disorder,
 * through the whole real path. Afterwards every report must be found: in the counts of its instance
 * and in the journal.
 */

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    rate: { type: 'string', default: '200' },
    instances: { type: 'string', default: '1,1000' },
  },
});

const SECRET = 'shared-with-the-bridge';

interface Stored {
  readonly id: string;
  readonly reports: number;
  readonly duplicates: number;
  readonly late: number;
  readonly reportedAt: string;
  readonly journal: number;
}

const STORED = `
SELECT c.id, (p -> 'counts' ->> 'reports')::int AS reports,
  (p -> 'counts' ->> 'duplicates')::int AS duplicates, (p -> 'counts' ->> 'late')::int AS late,
  p -> 'report' ->> 'reportedAt' AS "reportedAt",
  (SELECT count(*)::int FROM journal j
   WHERE j.instance_id = c.id AND j.event ->> 'type' = 'proxy.reported') AS journal
FROM container_instance c, LATERAL (SELECT c.payload -> 'proxy') AS x (p)`;

/** @throws AssertionError unless every report that was answered is stored, once, as it was answered */
async function verify(pool: Pool, { sent, lastAt, outcomes }: Told): Promise<void> {
  const { rows } = await pool.query<Stored>(STORED);
  const total = (read: (row: Stored) => number) => rows.reduce((sum, row) => sum + read(row), 0);
  for (const row of rows) {
    const expected = sent.get(row.id) ?? 0;
    assert.equal(row.reports, expected, `reports counted at ${row.id}`);
    assert.equal(row.journal, expected, `journal entries of ${row.id}`);
    const latest = lastAt.get(row.id);
    // Whatever the order in which they came, the state is by the latest of them.
    assert.equal(row.reportedAt, latest === undefined ? null : String(latest), row.id);
  }
  assert.equal(
    total((row) => row.duplicates),
    outcomes.duplicate,
    'duplicates',
  );
  assert.equal(
    total((row) => row.late),
    outcomes.late,
    'late reports',
  );
}

function together(first: Told, second: Told): Told {
  const add = (name: keyof Told['outcomes']) => first.outcomes[name] + second.outcomes[name];
  const sent = new Map(first.sent);
  for (const [id, more] of second.sent) sent.set(id, (sent.get(id) ?? 0) + more);
  return {
    ...second,
    sent,
    lastAt: new Map([...first.lastAt, ...second.lastAt]),
    outcomes: { applied: add('applied'), duplicate: add('duplicate'), late: add('late') },
  };
}

async function measure(
  pool: Pool,
  options: { readonly databaseUrl: string; readonly redisUrl: string },
  instances: number,
): Promise<readonly string[]> {
  const servers = await insertRegistered(pool, instances);
  const server = forkScript('reports-server.ts', [JSON.stringify({ ...options, secret: SECRET })]);
  const { url } = (await hear(server)) as ReportsServerHello;
  const cpu = async () => {
    const heard = hear(server);
    server.send('cpu');
    const { user, system } = (await heard) as NodeJS.CpuUsage;
    return user + system;
  };
  const [perS, seconds] = [Number(flags.rate), Number(flags.seconds)];
  const load = { url, secret: SECRET, servers };
  // The first second of a process is spent compiling.
  const warmUp = await sendReports({ ...load, perS, seconds: 1 });
  const before = await cpu();
  const told = await sendReports({ ...load, perS, seconds });
  const cpuUs = ((await cpu()) - before) / told.latenciesMs.length;
  const ended = once(server, 'exit');
  server.send('end');
  await ended;
  await verify(pool, together(warmUp, told));
  const sorted = told.latenciesMs.toSorted((a, b) => a - b);
  const at = (share: number) => fixed(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
  const { applied, duplicate, late } = told.outcomes;
  return [
    `${count(instances)} ${instances === 1 ? 'instance' : 'instances'}`,
    ...[sorted.length, applied, duplicate, late].map(count),
    ...[at(0.5), at(0.99), at(1)],
    fixed(cpuUs, 0),
  ];
}

async function main(): Promise<void> {
  await using services = await startServices();
  const { databaseUrl, redisUrl } = services;
  const onError = console.error;
  await using database = openDatabase({ url: databaseUrl, connectionsMax: 2, onError });
  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, ` +
      `Node ${process.versions.node}; ${flags.rate} reports/s for ${flags.seconds} s`,
  );
  const rows: (readonly string[])[] = [];
  for (const instances of flags.instances.split(',').map(Number)) {
    rows.push(await measure(database.pool, { databaseUrl, redisUrl }, instances));
  }
  const head = ['', 'sent', 'applied', 'duplicate', 'late', 'p50 ms', 'p99 ms', 'max ms'];
  console.log(formatTable([...head, 'node µs'], rows));
  console.log('no report was lost: all are in the counts of their instances and in the journal');
}

await main();
