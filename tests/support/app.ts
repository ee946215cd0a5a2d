import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { inject } from 'vitest';

import type { ProxmoxOptions } from '../../lab/proxmox/options.ts';
import { type Proxmox, startProxmox } from '../../lab/proxmox/server.ts';
import { startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { createUsers } from '../../src/storage/users.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { PASSWORD, PASSWORD_HASH } from './accounts.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { openTestLog } from './test-log.ts';

export const ALICE = 'u-alice';
export const BOB = 'u-bob';
export const ADMIN = 'u-admin';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
  readonly body: any;
}

export interface Request {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Client {
  readonly token: string;
  call(method: string, path: string, request?: Request): Promise<Answer>;
}

export interface TestApp extends AsyncDisposable {
  readonly url: string;
  readonly proxmox: Proxmox;
  readonly database: TestDatabase;
  readonly environment: Readonly<Record<string, string>>;
  /** From now on no log may hold this. */
  keepSecret(secret: string): void;
  readonly anonymous: Client;
  signIn(userId: string): Promise<Client>;
  /** Another node in the same world. */
  startNode(
    environment?: Readonly<Record<string, string>>,
  ): Promise<{ url: string | null; metricsUrl: string | null } & AsyncDisposable>;
}

export interface TestAppOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly proxmox?: Partial<ProxmoxOptions>;
}

const FAST = {
  cloneMs: 30,
  configureMs: 1,
  startMs: 20,
  stopMs: 20,
  destroyMs: 20,
  dhcpMs: 30,
  lockWaitMs: 300,
  authFailureMs: 1,
  installStepMs: 5,
};

/** The whole service in this process, in a world of its own, with three accounts. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-app-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const database = opened.use(await createTestDatabase());
  const proxmox = opened.use(
    await startProxmox({
      dataDir: folder,
      delays: FAST,
      agentProgram: inject('programs').agent,
      ...options.proxmox,
    }),
  );
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, proxmox.ca);
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const environment = {
    PORT: '0',
    LOG_LEVEL: 'debug',
    DATABASE_URL: database.url,
    DATABASE_CONNECTIONS_MAX: '8',
    REDIS_URL: inject('redisUrl'),
    REDIS_PREFIX: prefix,
    REDIS_MIRROR_PREFIX: `${prefix}:`,
    PROXMOX_URL: proxmox.url.href,
    PROXMOX_TOKEN_ID: proxmox.tokenId,
    PROXMOX_TOKEN_SECRET: proxmox.tokenSecret,
    PROXMOX_CA_FILE: caFile,
    PROXMOX_POLL_MS: '20',
    AGENT_POLL_MS: '20',
    AGENT_TEMPLATE_VMID: String(proxmox.templateVmid),
    JWT_SECRET: 'a secret of thirty-two characters or more',
    ...options.environment,
  };
  await createAccounts(database);
  const log = openTestLog(prefix, environment);
  const startNode = (more: Readonly<Record<string, string>> = {}) => {
    const config = readConfig({ ...environment, ...more });
    return startApp({ config, logger: createLogger(config.log.level, log.output) });
  };
  const app = opened.use(await startNode());
  const url = app.url ?? '';
  const closing = opened.move();
  return {
    url,
    proxmox,
    database,
    environment,
    keepSecret: log.keepSecret,
    startNode,
    anonymous: createClient(url, ''),
    signIn: (userId) => signIn(url, userId),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function createAccounts(database: TestDatabase): Promise<void> {
  const users = createUsers(database.prisma);
  for (const id of [ALICE, BOB, ADMIN]) {
    const username = id.slice(2);
    const role = id === ADMIN ? 'admin' : 'user';
    const email = `${username}@zpack.test`;
    await users.upsert({
      id,
      email,
      username,
      displayName: null,
      role,
      passwordHash: PASSWORD_HASH,
    });
  }
}

async function signIn(url: string, userId: string): Promise<Client> {
  const body = { identifier: userId.slice(2), password: PASSWORD };
  const answer = await createClient(url, '').call('POST', '/api/auth/login', { body });
  if (answer.status !== 200) throw new Error(`not signed in: ${JSON.stringify(answer.body)}`);
  return createClient(url, String(answer.body.token));
}

export function createClient(url: string, token: string): Client {
  return {
    token,
    async call(method, path, { body, headers = {} } = {}) {
      const response = await fetch(new URL(path, url), {
        method,
        headers: {
          ...(token && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
      return {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : text,
      };
    },
  };
}
