import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startNode } from './node.ts';

/** A fresh process that boots a node, or fills its memory, and says what that took. */

export interface ProbeOrder {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** null: boot the real application; else read every one of `ids` into a memory of this size. */
  readonly touch: { readonly cacheMax: number; readonly ids: readonly string[] } | null;
}

export interface ProbeReport {
  readonly bootMs: number;
  readonly readyMs: number;
  readonly heapBefore: number;
  readonly heapAfter: number;
  readonly rssBefore: number;
  readonly rssAfter: number;
}

/** Reads that share a turn, so that a hundred thousand promises are not part of the figure. */
const CHUNK = 2_000;

function weigh() {
  for (let pass = 0; pass < 3; pass += 1) globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapUsed, rss };
}

/** From the start of the process until it answers that it is ready. */
async function boot({ databaseUrl, redisUrl }: ProbeOrder): Promise<ProbeReport> {
  const config = readConfig({
    ROLE: 'api',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    PROXMOX_URL: 'https://127.0.0.1:1',
    PROXMOX_TOKEN_ID: 'root@pam!bench',
    PROXMOX_TOKEN_SECRET: 'bench',
    AGENT_TEMPLATE_VMID: '9000',
    JWT_SECRET: 'bench-secret-bench-secret-bench-secret',
  });
  await using app = await startApp({ config, logger: createLogger('silent') });
  const bootMs = performance.now();
  let isReady = false;
  while (!isReady) isReady = (await fetch(`${app.url}/readyz`)).ok;
  const readyMs = performance.now();
  const { heapUsed, rss } = weigh();
  return {
    bootMs,
    readyMs,
    heapBefore: heapUsed,
    heapAfter: heapUsed,
    rssBefore: rss,
    rssAfter: rss,
  };
}

async function touch(
  { databaseUrl, redisUrl }: ProbeOrder,
  { cacheMax, ids }: NonNullable<ProbeOrder['touch']>,
): Promise<ProbeReport> {
  await using node = await startNode({ databaseUrl, redisUrl, machine: 'plain', cacheMax });
  const read = (id: string) => node.actors.read({ kind: 'instance', id });
  await read(ids[0] ?? '');
  const before = weigh();
  for (let from = 0; from < ids.length; from += CHUNK) {
    await Promise.all(ids.slice(from, from + CHUNK).map(read));
  }
  const after = weigh();
  return {
    bootMs: 0,
    readyMs: 0,
    heapBefore: before.heapUsed,
    heapAfter: after.heapUsed,
    rssBefore: before.rss,
    rssAfter: after.rss,
  };
}

process.once('message', (order: ProbeOrder) => {
  void (order.touch ? touch(order, order.touch) : boot(order)).then((report) => {
    process.send?.(report, undefined, {}, () => process.exit(0));
  });
});
