import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { type Proxmox, startProxmox } from './proxmox/server.ts';
import { type Postgres, startPostgres } from './services/postgres.ts';
import { type Redis, startRedis } from './services/redis.ts';

export interface WorldOptions {
  readonly dataDir: string;
  readonly cacheDir: string;
  /** Begins anew: everything that earlier runs left in `dataDir` is removed. */
  readonly isFresh: boolean;
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  readonly log: (line: string) => void;
}

/** Everything that the API talks to, and the environment that leads it there. */
export interface World extends AsyncDisposable {
  readonly postgres: Postgres;
  readonly redis: Redis;
  readonly proxmox: Proxmox;
  readonly environment: Readonly<Record<string, string>>;
}

export async function startWorld(options: WorldOptions): Promise<World> {
  const { cacheDir, isFresh, databaseUrl, redisUrl, log } = options;
  const dataDir = resolve(options.dataDir);
  await using opened = new AsyncDisposableStack();
  if (isFresh) await rm(dataDir, { recursive: true, force: true });
  await mkdir(dataDir, { recursive: true });
  const postgres = opened.use(await startPostgres({ dataDir, databaseUrl, log }));
  const redis = opened.use(
    await startRedis({ dataDir: join(dataDir, 'redis'), cacheDir, redisUrl, log }),
  );
  const agentToken = await keep(join(dataDir, 'agent-token'));
  const proxmox = opened.use(
    await startProxmox({ dataDir: join(dataDir, 'proxmox'), agentToken, log }),
  );
  const caFile = join(dataDir, 'proxmox-ca.pem');
  await writeFile(caFile, proxmox.ca);
  const environment = {
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    PROXMOX_URL: proxmox.url.href,
    PROXMOX_TOKEN_ID: proxmox.tokenId,
    PROXMOX_TOKEN_SECRET: proxmox.tokenSecret,
    PROXMOX_CA_FILE: caFile,
    AGENT_TEMPLATE_VMID: String(proxmox.templateVmid),
    ZLH_AGENT_TOKEN: agentToken,
    JWT_SECRET: await keep(join(dataDir, 'jwt-secret')),
  };
  const closing = opened.move();
  return {
    postgres,
    redis,
    proxmox,
    environment,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** A secret of this lab, made once. */
async function keep(file: string): Promise<string> {
  const known = await readFile(file, 'utf8').catch(() => null);
  if (known) return known;
  const secret = randomBytes(24).toString('hex');
  await writeFile(file, secret, { mode: 0o600 });
  return secret;
}
