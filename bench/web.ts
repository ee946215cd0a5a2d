import { fork } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

import chromium from '@sparticuz/chromium';
import { Redis } from 'ioredis';
import { type Browser, chromium as driver, type Page } from 'playwright-core';

import { freePort } from '../lab/services/free-port.ts';
import { buildWeb } from '../scripts/build-web.ts';
import { createChangeFeed } from '../src/storage/change-feed.ts';
import { openDatabase } from '../src/storage/database.ts';
import { PASSWORD, PASSWORD_HASH } from '../tests/support/accounts.ts';
import { createFleetWriter, type FleetWriter, idOf } from '../tests/support/fleet-writer.ts';
import { hear } from './support/measure.ts';
import { startServices } from './support/services.ts';
import { signIn } from './support/sign-in.ts';
import type { SseServerOptions } from './support/sse-server.ts';
import { count, fixed, formatTable, medianOf } from './support/table.ts';

/**
 * The console page before a large fleet that keeps changing: how soon it is there, and how steadily
 * it is drawn while somebody scrolls. Beside it an empty page, which is what this machine can do.
 */

const { values: flags } = parseArgs({
  options: {
    instances: { type: 'string', default: '10000' },
    changes: { type: 'string', default: '200' },
    seconds: { type: 'string', default: '8' },
    loads: { type: 'string', default: '5' },
  },
});

const SECRET = 'bench-secret-bench-secret-bench-secret';
const PREFIX = 'bench-web';
const FIRST_VMID = 5_000;
const CREATORS = 8;
const COMMITS_PER_S = 20;
const SCROLL_PX = 60;
/** A frame of 60 a second takes 16.7 ms; later than this, one was left out. */
const LATE_MS = 25;

interface Frames {
  readonly fps: number;
  readonly lateShare: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** As text: it runs in the page. Scrolls what it is given, and writes down when it was drawn. */
const DRAW = `async ({ seconds, px }) => {
  const rows = document.querySelector('.rows');
  const times = [];
  await new Promise((done) => {
    const end = performance.now() + seconds * 1000;
    const draw = (now) => {
      times.push(now);
      if (rows) rows.scrollTop += px;
      if (now < end) requestAnimationFrame(draw);
      else done();
    };
    requestAnimationFrame(draw);
  });
  return times;
}`;

async function measureFrames(page: Page): Promise<Frames> {
  const order = { seconds: Number(flags.seconds), px: SCROLL_PX };
  const times = await page.evaluate<number[]>(`(${DRAW})(${JSON.stringify(order)})`);
  const gaps = times.slice(1).map((time, place) => time - (times[place] ?? 0));
  const sorted = gaps.toSorted((a, b) => a - b);
  const totalMs = gaps.reduce((sum, gap) => sum + gap, 0);
  return {
    fps: (gaps.length / totalMs) * 1_000,
    lateShare: gaps.filter((gap) => gap > LATE_MS).length / gaps.length,
    p99Ms: sorted[Math.floor(gaps.length * 0.99)] ?? Number.NaN,
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}

/** Until the sign-in page is drawn, by a browser that has never been here. */
async function measureLoad(browser: Browser, url: string): Promise<number> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const begunAt = performance.now();
  await page.goto(url);
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  const ms = performance.now() - begunAt;
  await context.close();
  return ms;
}

async function packedBytes(): Promise<number> {
  const names = await readdir('web/dist', { recursive: true });
  const parts = names.filter((name) => /\.(html|js|css)$/.test(name));
  const sizes = parts.map(async (name) => gzipSync(await readFile(`web/dist/${name}`)).length);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

async function fill(writer: FleetWriter): Promise<readonly number[]> {
  const vmids = Array.from({ length: Number(flags.instances) }, (_, one) => FIRST_VMID + one);
  const ranks = Array.from({ length: CREATORS }, (_, rank) => rank);
  await Promise.all(
    ranks.map((rank) =>
      writer.create(
        vmids
          .filter((vmid) => vmid % CREATORS === rank)
          .map((vmid) => ({ vmid, customerId: `c-${vmid % 50}` })),
      ),
    ),
  );
  return vmids;
}

/** Changes instances all over the fleet, some of them in sight, until it is told to end. */
async function change(
  writer: FleetWriter,
  {
    vmids,
    feed,
    signal,
  }: {
    readonly vmids: readonly number[];
    readonly feed: ReturnType<typeof createChangeFeed>;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const each = Number(flags.changes) / COMMITS_PER_S;
  const begunAt = performance.now();
  let commits = 0;
  for (; !signal.aborted; commits += 1) {
    const some = Array.from(
      { length: each },
      (_, one) => vmids[(commits * each + one * 997) % vmids.length] ?? FIRST_VMID,
    );
    const different = [...new Set(some)];
    const versions = await writer.change(different);
    feed.publish(different.map((vmid, one) => ({ id: idOf(vmid), version: versions[one] ?? 0 })));
    const nextAt = begunAt + ((commits + 1) * 1_000) / COMMITS_PER_S;
    await delay(Math.max(0, nextAt - performance.now()));
  }
  return (commits * each * 1_000) / (performance.now() - begunAt);
}

async function signInByForm(page: Page): Promise<number> {
  await page.getByLabel('E-mail or username').fill('u-admin');
  await page.getByLabel('Password').fill(PASSWORD);
  const begunAt = performance.now();
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.rows li').first().waitFor({ timeout: 60_000 });
  return performance.now() - begunAt;
}

const rowOf = (name: string, { fps, lateShare, p99Ms, maxMs }: Frames) => [
  ...[name, fixed(fps), `${fixed(lateShare * 100)} %`, fixed(p99Ms), fixed(maxMs)],
];

async function main(): Promise<void> {
  await buildWeb();
  await using services = await startServices();
  const { databaseUrl, redisUrl } = services;
  await using database = openDatabase({
    url: databaseUrl,
    connectionsMax: CREATORS,
    onError: console.error,
  });
  await signIn(database, { secret: SECRET, users: ['u-admin'], role: 'admin' });
  await database.pool.query('UPDATE "user" SET password_hash = $1', [PASSWORD_HASH]);
  const writer = createFleetWriter(database);
  const vmids = await fill(writer);
  const port = await freePort();
  const options: SseServerOptions = { databaseUrl, redisUrl, prefix: PREFIX, port, secret: SECRET };
  const path = new URL('support/sse-server.ts', import.meta.url);
  const server = fork(path, [JSON.stringify(options)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  await hear(server);
  const redis = new Redis(redisUrl);
  const feed = createChangeFeed({
    publisher: redis,
    subscriber: redis.duplicate({ lazyConnect: true }),
    channel: `${PREFIX}:changed`,
    onError: console.error,
  });
  const browser = await driver.launch({
    executablePath: await chromium.executablePath(),
    // One process for all of it is for machines without memory: nobody's browser is like that.
    args: chromium.args.filter((arg) => arg !== '--single-process' && arg !== '--no-zygote'),
  });
  const url = `http://127.0.0.1:${port}`;

  const loads: number[] = [];
  for (let nth = 0; nth < Number(flags.loads); nth += 1)
    loads.push(await measureLoad(browser, url));
  const page = await browser.newPage({ viewport: { width: 1_200, height: 900 } });
  await page.goto('about:blank');
  const floor = await measureFrames(page);
  await page.goto(url);
  const fleetMs = await signInByForm(page);
  const still = await measureFrames(page);
  const ending = new AbortController();
  const changing = change(writer, { vmids, feed, signal: ending.signal });
  const busy = await measureFrames(page);
  ending.abort();
  const perS = await changing;

  console.log(
    `${new Date().toISOString()}, ${cpus().length} × ${cpus()[0]?.model}, Chromium ${browser.version()}`,
  );
  console.log(`the page, packed by gzip: ${count((await packedBytes()) / 1_000)} kB`);
  console.log(
    `first load, cold cache, ms: median ${count(medianOf(loads))}, first ${count(loads[0] ?? 0)}`,
  );
  console.log(`from signing in to the rows of ${flags.instances}, ms: ${count(fleetMs)}`);
  console.log(
    formatTable(
      ['while scrolling', 'frames/s', `over ${LATE_MS} ms`, 'p99, ms', 'max, ms'],
      [
        rowOf('(a) an empty page', floor),
        rowOf('the fleet, at rest', still),
        rowOf(`the fleet, ${count(perS)} changes/s`, busy),
      ],
    ),
  );
  await browser.close();
  server.send('end');
  redis.disconnect();
  process.exit(0);
}

await main();
