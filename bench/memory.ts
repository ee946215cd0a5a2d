import { cpus, loadavg } from 'node:os';

import { Pool } from 'pg';

import { insertInstances } from './support/instances.ts';
import { compileLives } from './support/lives.ts';
import { MACHINES } from './support/machines.ts';
import { forkScript, hear } from './support/measure.ts';
import type { ProbeOrder, ProbeReport } from './support/memory-probe.ts';
import { startServices } from './support/services.ts';
import { count, fixed, formatTable, medianOf, spread } from './support/table.ts';

/**
 * What instances cost a node that does nothing with them, and what those cost that it remembers.
 * Each figure is of a fresh process; nothing is resident by necessity, and booting loads nothing.
 */

const COUNTS = [0, 10_000, 100_000];
const ROUNDS = 3;
/** The bound of src/actors/system.ts. */
const CACHE_MAX = 10_000;

const mib = (bytes: number) => fixed(bytes / 2 ** 20);

async function probe(order: ProbeOrder): Promise<ProbeReport> {
  const child = forkScript('memory-probe.ts', [], ['--expose-gc']);
  child.send(order as never);
  return (await hear(child)) as ProbeReport;
}

async function main(): Promise<void> {
  await using services = await startServices();
  const { databaseUrl, redisUrl } = services;
  const pool = new Pool({ connectionString: databaseUrl, max: 1 });
  const lives = compileLives('plain', MACHINES.plain).slice(0, 1);
  const ask = (touch: ProbeOrder['touch']) => probe({ databaseUrl, redisUrl, touch });
  const boots: string[][] = [];
  const touches: string[][] = [];
  for (const instances of COUNTS) {
    const ids = (await insertInstances(pool, lives, instances)).map(({ id }) => id);
    const reports: ProbeReport[] = [];
    for (let round = 0; round < ROUNDS; round += 1) reports.push(await ask(null));
    boots.push([
      count(instances),
      spread(
        reports.map((one) => one.bootMs),
        count,
      ),
      spread(
        reports.map((one) => one.readyMs),
        count,
      ),
      mib(medianOf(reports.map((one) => one.heapAfter))),
      mib(medianOf(reports.map((one) => one.rssAfter))),
    ]);
    if (instances === 0) continue;
    for (const cacheMax of new Set([CACHE_MAX, instances])) {
      const { heapBefore, heapAfter, rssBefore, rssAfter } = await ask({ cacheMax, ids });
      const kept = Math.min(cacheMax, instances);
      touches.push([
        count(instances),
        count(kept),
        mib(heapBefore),
        mib(heapAfter),
        count((heapAfter - heapBefore) / kept),
        mib(rssBefore),
        mib(rssAfter),
      ]);
    }
  }
  await pool.end();
  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, ` +
      `Node ${process.versions.node}, load average ${loadavg()
        .map((one) => fixed(one))
        .join(' ')}`,
  );
  console.log('\nBooting the API, from the start of the process (median of 3, range)');
  const booted = ['instances', 'started ms', 'ready ms', 'heap MiB', 'RSS MiB'];
  console.log(formatTable(booted, boots));
  console.log(
    `\nReading every instance; the memory keeps ${count(CACHE_MAX)} unless told otherwise`,
  );
  const heap = ['heap before MiB', 'heap after MiB', 'bytes per kept'];
  const touched = ['instances', 'kept', ...heap, 'RSS before MiB', 'RSS after MiB'];
  console.log(formatTable(touched, touches));
}

await main();
