import { Redis } from 'ioredis';

import { createActorSystem } from '../../src/actors/system.ts';
import { createAccountSide } from '../../src/app/accounts.ts';
import { createEndpoints } from '../../src/app/api.ts';
import { createBilling } from '../../src/app/billing.ts';
import { createConsoleSide } from '../../src/app/console.ts';
import { createIdeSide } from '../../src/app/ide.ts';
import { createAgentBackups } from '../../src/clients/agent/backups.ts';
import { createAgentClient } from '../../src/clients/agent/client.ts';
import { createAgentCodeServer } from '../../src/clients/agent/codeserver.ts';
import { createAgentConsole } from '../../src/clients/agent/console.ts';
import { createAgentFiles } from '../../src/clients/agent/files.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { createStripeClient } from '../../src/clients/stripe/client.ts';
import { readConfig } from '../../src/config.ts';
import type { AnyEndpoint } from '../../src/http/endpoint.ts';
import { createActorStore } from '../../src/storage/actor-store.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createDebts } from '../../src/storage/debts.ts';
import { createEdgePorts } from '../../src/storage/edge-ports.ts';
import { createJournalReader } from '../../src/storage/journal.ts';
import { createMails } from '../../src/storage/mails.ts';
import { createVmids } from '../../src/storage/vmids.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { createFleet } from '../../src/view/fleet.ts';
import { createLive } from '../../src/view/live.ts';
import { createRecent } from '../../src/view/recent.ts';

const NO_QUEUES = {
  get: () => {
    throw new Error('nobody asks for jobs');
  },
  [Symbol.asyncDispose]: async () => {},
};

/**
 * Every endpoint that there can be, for whoever wants to know them and calls none: the real
 * composition, whose parts connect only when they are asked.
 */
export async function listEndpoints(): Promise<readonly AnyEndpoint[]> {
  const config = readConfig({
    DATABASE_URL: 'postgresql://127.0.0.1:1/none',
    REDIS_URL: 'redis://127.0.0.1:1',
    PROXMOX_URL: 'https://127.0.0.1:1',
    PROXMOX_TOKEN_ID: 'a@b!c',
    PROXMOX_TOKEN_SECRET: 'none',
    AGENT_TEMPLATE_VMID: '9000',
    JWT_SECRET: 'x'.repeat(32),
    STRIPE_SECRET_KEY: 'none',
    STRIPE_WEBHOOK_SECRET: 'x'.repeat(32),
    RESEND_WEBHOOK_SECRET: 'whsec_none',
  });
  await using database = openDatabase({ ...config.database, onError: () => {} });
  await using proxmox = createProxmoxClient(config.proxmox);
  await using agents = createAgentClient(config.agent);
  await using backups = createAgentBackups({ ...config.agent, orderTimeoutMs: 1 });
  await using codeServer = createAgentCodeServer(config.agent);
  await using files = createAgentFiles({ ...config.agent, ...config.files });
  await using consoles = createAgentConsole({ ...config.agent, randomId: () => '' });
  if (!config.billing) throw new Error('billing is documented, too');
  await using stripe = createStripeClient({ ...config.billing, now: () => 0 });
  const store = createActorStore(database.pool);
  const now = () => 0;
  const redis = new Redis(config.redis.url, { lazyConnect: true });
  const parts = {
    config,
    database,
    redis,
    proxmox,
    ...{ agents, codeServer, files, consoles, backups },
    edge: {
      internalDns: undefined,
      publicDns: undefined,
      opnsense: undefined,
      velocity: undefined,
    },
    actors: createActorSystem({ store, definitions: {}, now, nodeId: 'docs' }),
    feed: { publish: () => {}, subscribe: () => () => {} },
    relay: { announce: () => {}, enqueue: async () => {}, sweepSoon: () => {} },
    mails: createMails(database.pool),
    sendMail: async () => {},
    stripe,
    debts: createDebts(database.prisma),
    ports: createEdgePorts(database.pool),
    vmids: createVmids(database.pool),
    ...{ queues: NO_QUEUES, nodeId: 'docs', now },
    randomId: () => '',
    closing: new AbortController(),
    logger: createLogger('silent'),
  };
  const billing = createBilling(parts);
  const accounts = createAccountSide(parts, {
    queueMail: parts.sendMail,
    mailSoon: () => {},
    billingOf: billing.summaryOf,
    rolesSoon: () => {},
  });
  const view = {
    fleet: createFleet(),
    live: createLive(),
    tail: {
      seq: () => 0,
      currentAt: now,
      recent: createRecent(0),
      wake: () => {},
      subscribe: () => () => {},
      [Symbol.asyncDispose]: async () => {},
    },
    journal: createJournalReader(database.pool),
    find: async () => null,
  };
  const console = createConsoleSide(parts, view);
  const ide = createIdeSide(parts, view, accounts.tokens);
  return createEndpoints(parts, view, { accounts, billing, console, ide });
}
