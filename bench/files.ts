import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { request as send } from 'node:http';
import { createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { openDatabase } from '../src/storage/database.ts';
import type { FilesServerHello, FilesServerOptions, MemoryReport } from './support/files-server.ts';
import { forkScript, hear } from './support/measure.ts';
import { insertRegistered } from './support/registered.ts';
import { startServices } from './support/services.ts';
import { fixed, formatTable, medianOf, spread } from './support/table.ts';

/**
 * A file up and down through the real node, beside a bare pipe of node:http and a direct connection
 * to the agent: by turns, each in a process of its own, with the same client and the same agent.
 */

const { values: flags } = parseArgs({
  options: {
    gib: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '1' },
    /** Where the container's disk is. */
    dir: { type: 'string', default: tmpdir() },
  },
});

const BYTES = Math.round(Number(flags.gib) * 1024 ** 3);
const MIB = 1024 * 1024;
const CHUNK = Buffer.alloc(MIB / 4, 'zpack');
const AGENT = fileURLToPath(new URL('../lab/agent/main.ts', import.meta.url));
const HOST = '127.0.0.1';

interface Target {
  readonly name: string;
  readonly upload: string;
  readonly download: string;
  readonly token: string;
  /** null: there is nobody in between. */
  readonly server: ChildProcess | null;
}

async function startAgent(root: string, opened: AsyncDisposableStack) {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  probe.close();
  await once(probe, 'close');
  const agent = spawn(process.execPath, [AGENT], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { AGENT_HOST: HOST, AGENT_PORT: String(port), AGENT_ROOT: root, AGENT_LIFELINE: 'stdin' },
  });
  const exited = once(agent, 'exit');
  opened.defer(async () => {
    agent.stdin.destroy();
    await exited;
  });
  await once(createInterface({ input: agent.stdout }), 'line');
  return { host: HOST, port };
}

async function insertServer(databaseUrl: string) {
  await using database = openDatabase({
    ...{ url: databaseUrl, connectionsMax: 2, onError: console.error },
  });
  const [server] = await insertRegistered(database.pool, 1);
  const { rows } = await database.pool.query<{ customer: string }>(
    `UPDATE container_instance SET snapshot = jsonb_set(snapshot, '{context,ip}', to_jsonb($1::text))
     RETURNING snapshot->'context'->>'customerId' AS customer`,
    [HOST],
  );
  return { vmid: server?.vmid ?? 0, customerId: rows[0]?.customer ?? '' };
}

async function startServer(options: FilesServerOptions, opened: AsyncDisposableStack) {
  const server = forkScript('files-server.ts', [JSON.stringify(options)], []);
  opened.defer(async () => {
    const exited = once(server, 'exit');
    server.disconnect();
    await exited;
  });
  return { server, hello: (await hear(server)) as FilesServerHello };
}

async function upload({ upload: url, token }: Target): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, 'content-length': BYTES };
  const request = send(url, { method: 'POST', agent: false, headers });
  const answered = once(request, 'response');
  for (let left = BYTES; left > 0; left -= CHUNK.length) {
    if (!request.write(CHUNK.subarray(0, left))) await once(request, 'drain');
  }
  request.end();
  const [answer] = await answered;
  answer.resume();
  if (answer.statusCode !== 201) throw new Error(`${url}: ${answer.statusCode}`);
  await once(answer, 'close');
}

async function download({ download: url, token }: Target): Promise<void> {
  const request = send(url, { agent: false, headers: { authorization: `Bearer ${token}` } });
  request.end();
  const [answer] = await once(request, 'response');
  let received = 0;
  answer.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await once(answer, 'close');
  if (received !== BYTES) throw new Error(`${url}: ${answer.statusCode}, ${received} bytes`);
}

interface Figures {
  readonly mibPerS: number[];
  readonly restMib: number[];
  readonly peakMib: number[];
}

async function measure(target: Target, act: (target: Target) => Promise<void>, into: Figures) {
  into.restMib.push((await memoryOf(target)).now / MIB);
  const begunAt = performance.now();
  await act(target);
  into.mibPerS.push(BYTES / MIB / ((performance.now() - begunAt) / 1000));
  into.peakMib.push((await memoryOf(target)).peak / MIB);
}

async function memoryOf({ server }: Target): Promise<MemoryReport> {
  if (!server) return { now: 0, peak: 0 };
  const heard = hear(server);
  server.send('memory');
  return (await heard) as MemoryReport;
}

async function startTargets(opened: AsyncDisposableStack): Promise<readonly Target[]> {
  const root = await mkdtemp(join(flags.dir, 'zpack-files-'));
  opened.defer(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, 'srv', 'game'), { recursive: true });
  const services = opened.use(await startServices());
  const { vmid, customerId } = await insertServer(services.databaseUrl);
  const agent = await startAgent(root, opened);
  const common = { agent, customerId };
  const { databaseUrl, redisUrl } = services;
  const node = await startServer({ ...common, services: { databaseUrl, redisUrl } }, opened);
  const pipe = await startServer({ ...common, services: null }, opened);
  const paths = (base: string) => ({
    upload: `${base}/upload?path=large`,
    download: `${base}/download?path=large`,
  });
  const atAgent = '/game/files';
  return [
    {
      name: 'direct',
      ...{ token: '', server: null, ...paths(`http://${HOST}:${agent.port}${atAgent}`) },
    },
    {
      name: 'bare node:http pipe',
      ...{ token: '', server: pipe.server, ...paths(pipe.hello.url + atAgent) },
    },
    {
      name: 'the real node',
      ...{ token: node.hello.token, server: node.server },
      ...paths(`${node.hello.url}/api/servers/${vmid}/files`),
    },
  ];
}

async function main(): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const targets = await startTargets(opened);
  const measured = targets.map((target) => ({
    target,
    up: { mibPerS: [], restMib: [], peakMib: [] } as Figures,
    down: { mibPerS: [], restMib: [], peakMib: [] } as Figures,
  }));
  for (let round = 0; round < Number(flags.rounds); round += 1) {
    // Nobody is always first, or always after the same.
    const order = measured.map((_, place) => measured[(place + round) % measured.length]);
    for (const one of order) if (one) await measure(one.target, upload, one.up);
    for (const one of order) if (one) await measure(one.target, download, one.down);
  }
  const rates = (way: 'up' | 'down', place: number) =>
    medianOf(measured[place]?.[way].mibPerS ?? []);
  const rows = (['up', 'down'] as const).flatMap((way) =>
    measured.map(({ target, [way]: figures }) => [
      `${way}, ${target.name}`,
      spread(figures.mibPerS, (one) => fixed(one, 0)),
      fixed(medianOf(figures.mibPerS) / rates(way, 0), 2),
      fixed(medianOf(figures.mibPerS) / rates(way, 1), 2),
      target.server ? fixed(Math.min(...figures.restMib), 0) : '',
      target.server ? fixed(Math.max(...figures.peakMib), 0) : '',
    ]),
  );
  console.log(`${flags.gib} GiB, ${flags.rounds} rounds, ${cpus().length} × ${cpus()[0]?.model}`);
  console.log(
    formatTable(['path', 'MiB/s', '× direct', '× pipe', 'RSS before, MiB', 'peak'], rows),
  );
}

await main();
