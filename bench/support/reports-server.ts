import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** A node that only answers, with a bridge configured, in a process of its own. */

export interface ReportsServerOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly secret: string;
}

export interface ReportsServerHello {
  readonly url: string;
}

async function main({ databaseUrl, redisUrl, secret }: ReportsServerOptions): Promise<void> {
  const config = readConfig({
    ROLE: 'api',
    PORT: '0',
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    REDIS_PREFIX: `bench-reports-${process.pid}`,
    PROXMOX_URL: 'https://127.0.0.1:1',
    PROXMOX_TOKEN_ID: 'root@pam!bench',
    PROXMOX_TOKEN_SECRET: 'bench',
    AGENT_TEMPLATE_VMID: '9000',
    JWT_SECRET: 'bench-secret-bench-secret-bench-secret',
    VELOCITY_URL: 'http://127.0.0.1:1',
    VELOCITY_SECRET: secret,
  });
  // One line per request, as in production; the parent has connected our output to nothing.
  const app = await startApp({ config, logger: createLogger('info') });
  process.on('message', (command) => {
    if (command === 'cpu') process.send?.(process.cpuUsage());
    else void app[Symbol.asyncDispose]().then(() => process.exit(0));
  });
  process.send?.({ url: app.url ?? '' } satisfies ReportsServerHello);
}

await main(JSON.parse(process.argv[2] ?? '{}') as ReportsServerOptions);
