import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { type EdgeWorld, keepSecret, startEdge } from './edge.ts';
import { type MailSink, startMailSink } from './mail/sink.ts';
import { type Proxmox, startProxmox } from './proxmox/server.ts';
import { type Postgres, startPostgres } from './services/postgres.ts';
import { type Redis, startRedis } from './services/redis.ts';
import { type StripeLab, startStripe } from './stripe/server.ts';

export interface WorldOptions {
  readonly dataDir: string;
  readonly cacheDir: string;
  /** Begins anew: everything that earlier runs left in `dataDir` is removed. */
  readonly isFresh: boolean;
  /** Where the API will listen. */
  readonly apiUrl: string;
  readonly databaseUrl?: string | undefined;
  readonly redisUrl?: string | undefined;
  readonly log: (line: string) => void;
}

/** Everything that the API talks to, and the environment that leads it there. */
export interface World extends AsyncDisposable {
  readonly postgres: Postgres;
  readonly redis: Redis;
  readonly proxmox: Proxmox;
  readonly edge: EdgeWorld;
  readonly mail: MailSink;
  readonly stripe: StripeLab;
  readonly environment: Readonly<Record<string, string>>;
}

/** Where players look if a name says nothing else. */
const MINECRAFT_PORT = 25_565;
/** Where the mails are looked at, if nobody else is there. */
const MAIL_PAGE_PORT = 8_025;

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
  const agentToken = await keepSecret(join(dataDir, 'agent-token'));
  const proxmox = opened.use(
    await startProxmox({ dataDir: join(dataDir, 'proxmox'), agentToken, codeServer: true, log }),
  );
  const edge = opened.use(
    await startEdge({ dataDir, apiUrl: options.apiUrl, gamePort: MINECRAFT_PORT }),
  );
  const mail = opened.use(await startMailSink({ dataDir, pagePort: MAIL_PAGE_PORT }));
  const stripe = opened.use(
    await startStripe({ dataDir, webhookUrl: `${options.apiUrl}/api/billing/webhook` }),
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
    ...edge.environment,
    ...environmentOf(mail),
    DEV_IDE_HOST_SUFFIX: 'ide.localhost',
    STRIPE_URL: stripe.url.href,
    STRIPE_SECRET_KEY: stripe.secretKey,
    STRIPE_WEBHOOK_SECRET: stripe.webhookSecret,
    JWT_SECRET: await keepSecret(join(dataDir, 'jwt-secret')),
  };
  const closing = opened.move();
  return {
    postgres,
    redis,
    proxmox,
    edge,
    mail,
    stripe,
    environment,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const environmentOf = ({ host, port, user, password, caFile }: MailSink) => ({
  SMTP_HOST: host,
  SMTP_PORT: String(port),
  SMTP_USER: user,
  SMTP_PASS: password,
  SMTP_CA_FILE: caFile,
});
