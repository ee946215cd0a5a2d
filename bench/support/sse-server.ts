import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/telemetry/logger.ts';

/** A node that only answers, in a process of its own; it ends in good order when told to. */

export interface SseServerOptions {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  readonly prefix: string;
  readonly port: number;
  readonly secret: string;
}

async function main(options: SseServerOptions): Promise<void> {
  const config = readConfig({
    ROLE: 'api',
    PORT: String(options.port),
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: options.redisUrl,
    REDIS_PREFIX: options.prefix,
    PROXMOX_URL: 'https://127.0.0.1:1',
    PROXMOX_TOKEN_ID: 'root@pam!bench',
    PROXMOX_TOKEN_SECRET: 'bench',
    AGENT_TEMPLATE_VMID: '9000',
    JWT_SECRET: options.secret,
  });
  const app = await startApp({ config, logger: createLogger('warn') });
  process.on('message', (command) => {
    if (command === 'cpu') process.send?.(process.cpuUsage());
    else void app[Symbol.asyncDispose]().then(() => process.exit(0));
  });
  process.send?.('ready');
}

await main(JSON.parse(process.argv[2] ?? '{}') as SseServerOptions);
