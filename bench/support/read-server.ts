import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import express from 'express';

import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { signIn } from './sign-in.ts';

/**
 * A process that answers reads: the real node, and beside it, on ports of their own, a bare
 * node:http server and a bare Express route that answer the same bytes without looking.
 */

export interface ReadServerOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly customerId: string;
  readonly paths: readonly string[];
}

export interface ReadServerHello {
  readonly token: string;
  readonly urls: { readonly real: string; readonly node: string; readonly express: string };
  readonly bytes: Readonly<Record<string, number>>;
}

async function main({ databaseUrl, redisUrl, customerId, paths }: ReadServerOptions) {
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
  // One line per request, as in production; the parent has connected our output to nothing.
  const app = await startApp({
    config,
    logger: createLogger('info'),
  });
  const real = app.url ?? '';
  await using database = openDatabase({
    ...{ url: databaseUrl, connectionsMax: 1, onError: console.error },
  });
  const customer = { secret: config.auth.secret, users: [customerId], role: 'user' } as const;
  const [token = ''] = await signIn(database, customer);
  const bodies = new Map<string, string>();
  for (const path of paths) {
    const answer = await fetch(real + path, { headers: { authorization: `Bearer ${token}` } });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    bodies.set(path, await answer.text());
  }

  const bare = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(bodies.get(request.url ?? ''));
  });
  const withExpress = express().disable('x-powered-by');
  const answer: express.RequestHandler = ({ path }, response) => {
    response.setHeader('Content-Type', 'application/json; charset=utf-8');
    response.end(bodies.get(path));
  };
  withExpress.get('/api/servers', answer);
  withExpress.get('/api/servers/:id/status', answer);
  const urls = { real, node: await listen(bare), express: await listen(createServer(withExpress)) };
  process.on('message', () => process.send?.(process.cpuUsage()));
  process.on('disconnect', () => process.exit(0));
  const bytes = Object.fromEntries([...bodies].map(([path, text]) => [path, text.length]));
  process.send?.({ token, urls, bytes } satisfies ReadServerHello);
}

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

await main(JSON.parse(process.argv[2] ?? '{}') as ReadServerOptions);
