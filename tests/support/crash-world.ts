import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type EdgeWorld, startEdge } from '../../lab/edge.ts';
import type { Delays } from '../../lab/proxmox/options.ts';
import { type Proxmox, startProxmox } from '../../lab/proxmox/server.ts';
import type { Database } from '../../src/storage/database.ts';
import { createUsers } from '../../src/storage/users.ts';
import { PASSWORD, PASSWORD_HASH } from './accounts.ts';
import { type CrashClient, createCrashClient } from './crash-client.ts';
import { createNodes, type Nodes } from './crash-nodes.ts';
import { startFrontDoor } from './front-door.ts';
import type { Programs } from './programs.ts';

const ACCOUNT = { username: 'carol', password: PASSWORD };

/** Enough for all that live at a time, so that nobody waits for a port. */
const PORTS_EACH = 40;

const DELAYS: Delays = {
  cloneMs: 40,
  createMs: 1,
  configureMs: 1,
  resizeMs: 1,
  startMs: 20,
  stopMs: 20,
  destroyMs: 20,
  dhcpMs: 30,
  lockWaitMs: 300,
  authFailureMs: 1,
  installStepMs: 5,
};

export interface CrashWorld extends AsyncDisposable {
  readonly database: Database;
  readonly proxmox: Proxmox;
  /** null: nothing is published anywhere. */
  readonly edge: EdgeWorld | null;
  readonly nodes: Nodes;
  /** That of whoever asks by `client`. */
  readonly account: { readonly identifier: string; readonly password: string };
  readonly client: CrashClient;
}

export interface CrashWorldOptions {
  /** Migrated and empty. It is the caller's to drop. */
  readonly database: Database & { readonly url: string };
  readonly redisUrl: string;
  readonly programs: Programs;
  readonly delays?: Partial<Delays>;
  readonly hasEdge?: boolean;
  /** What the nodes are told beside. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Everything but the nodes, which a test starts, kills and finds started again. */
export async function startCrashWorld(options: CrashWorldOptions): Promise<CrashWorld> {
  const { database, redisUrl, programs } = options;
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-crash-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const agentToken = randomBytes(12).toString('hex');
  const delays = { ...DELAYS, ...options.delays };
  const proxmox = opened.use(
    await startProxmox({
      dataDir: join(folder, 'proxmox'),
      delays,
      agentToken,
      agentProgram: programs.agent,
    }),
  );
  const caFile = join(folder, 'ca.pem');
  await writeFile(caFile, proxmox.ca);
  const nodesOf = { urls: (): readonly string[] => [] };
  const edge = options.hasEdge ? await openEdge(folder, opened, () => nodesOf.urls()) : null;
  const environment = {
    ...edge?.environment,
    EDGE_RECONCILE_MS: '1000',
    DNS_RECONCILE_MS: '2000',
    PORT: '0',
    LOG_LEVEL: 'info',
    DATABASE_URL: database.url,
    DATABASE_CONNECTIONS_MAX: '4',
    REDIS_URL: redisUrl,
    REDIS_PREFIX: `crash-${randomBytes(6).toString('hex')}`,
    PROXMOX_URL: proxmox.url.href,
    PROXMOX_TOKEN_ID: proxmox.tokenId,
    PROXMOX_TOKEN_SECRET: proxmox.tokenSecret,
    PROXMOX_CA_FILE: caFile,
    PROXMOX_POLL_MS: '20',
    AGENT_POLL_MS: '50',
    AGENT_TEMPLATE_VMID: String(proxmox.templateVmid),
    ZLH_AGENT_TOKEN: agentToken,
    // Kept short, so that what a dead node held is free again soon.
    EFFECT_LEASE_MS: '900',
    JWT_SECRET: randomBytes(24).toString('hex'),
    ...options.environment,
  };
  await createUsers(database.prisma).upsert({
    id: 'u-carol',
    email: 'carol@zpack.test',
    username: ACCOUNT.username,
    displayName: null,
    role: 'user',
    passwordHash: PASSWORD_HASH,
  });
  const nodes = opened.use(createNodes({ folder, programs, environment }));
  nodesOf.urls = () => nodes.all().flatMap(({ url }) => url ?? []);
  const client = createCrashClient({ ...ACCOUNT, nodes: nodes.all });
  const closing = opened.move();
  return {
    database,
    proxmox,
    edge,
    nodes,
    account: { identifier: ACCOUNT.username, password: ACCOUNT.password },
    client,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function openEdge(
  dataDir: string,
  opened: AsyncDisposableStack,
  urls: () => readonly string[],
): Promise<EdgeWorld> {
  const { url: apiUrl } = opened.use(await startFrontDoor(urls));
  const pace = { pollMs: 100, portsEach: PORTS_EACH };
  return opened.use(await startEdge({ dataDir, apiUrl, ...pace }));
}
