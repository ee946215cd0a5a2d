import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';

import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { signIn } from './sign-in.ts';

/**
 * A process between a client and an agent: the real node, or a bare pipe of node:http that looks
 * at nothing. Asked, it says how much memory it takes, and has taken at most since it was asked last.
 */

export interface FilesServerOptions {
  /** null: a bare pipe. */
  readonly services: { readonly databaseUrl: string; readonly redisUrl: string } | null;
  readonly customerId: string;
  readonly agent: { readonly host: string; readonly port: number };
}

export interface FilesServerHello {
  readonly url: string;
  readonly token: string;
}

export interface MemoryReport {
  readonly now: number;
  readonly peak: number;
}

const SECRET = 'bench-secret-bench-secret-bench-secret';
const SAMPLE_MS = 20;

async function startNode(options: FilesServerOptions): Promise<FilesServerHello> {
  const { services, customerId, agent } = options;
  if (!services) throw new Error('a node has services');
  const config = readConfig({
    ROLE: 'api',
    PORT: '0',
    DATABASE_URL: services.databaseUrl,
    REDIS_URL: services.redisUrl,
    PROXMOX_URL: 'https://127.0.0.1:1',
    PROXMOX_TOKEN_ID: 'root@pam!bench',
    PROXMOX_TOKEN_SECRET: 'bench',
    AGENT_TEMPLATE_VMID: '9000',
    ZLH_AGENT_PORT: String(agent.port),
    JWT_SECRET: SECRET,
  });
  const app = await startApp({ config, logger: createLogger('info') });
  await using database = openDatabase({
    ...{ url: services.databaseUrl, connectionsMax: 1, onError: console.error },
  });
  const customer = { secret: SECRET, users: [customerId], role: 'user' } as const;
  const [token = ''] = await signIn(database, customer);
  return { url: app.url ?? '', token };
}

async function startPipe({ agent }: FilesServerOptions): Promise<FilesServerHello> {
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const { method, url, headers } = request;
    const onward = send({ ...agent, method, path: url, headers, agent: false });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: '' };
}

async function main(options: FilesServerOptions): Promise<void> {
  const hello = await (options.services ? startNode(options) : startPipe(options));
  let peak = process.memoryUsage.rss();
  setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, SAMPLE_MS).unref();
  process.on('message', () => {
    const now = process.memoryUsage.rss();
    process.send?.({ now, peak } satisfies MemoryReport);
    peak = now;
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(hello);
}

await main(JSON.parse(process.argv[2] ?? '{}') as FilesServerOptions);
