import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { Redis } from 'ioredis';

import type { ChangeFeed } from '../actors/change-feed.ts';
import type { ObserveCheckpoint } from '../actors/checkpoint.ts';
import type { ActorStore } from '../actors/store.ts';
import { type ActorSystem, createActorSystem } from '../actors/system.ts';
import { type AgentBackups, createAgentBackups } from '../clients/agent/backups.ts';
import { type AgentClient, createAgentClient } from '../clients/agent/client.ts';
import { type AgentCodeServer, createAgentCodeServer } from '../clients/agent/codeserver.ts';
import { type AgentConsole, createAgentConsole } from '../clients/agent/console.ts';
import { type AgentFiles, createAgentFiles } from '../clients/agent/files.ts';
import { createProxmoxClient, type ProxmoxClient } from '../clients/proxmox/client.ts';
import { createStripeClient, type StripeClient } from '../clients/stripe/client.ts';
import type { Config } from '../config.ts';
import { definitions } from '../machines/index.ts';
import { createQueues, type Queues } from '../queues/queues.ts';
import { createRelay, type Relay } from '../queues/relay.ts';
import type { MailWaker } from '../queues/wake-mailers.ts';
import { createActorStore } from '../storage/actor-store.ts';
import { createChangeFeed } from '../storage/change-feed.ts';
import { type Database, openDatabase } from '../storage/database.ts';
import { createDebts, type Debts } from '../storage/debts.ts';
import { createEdgePorts, type EdgePorts } from '../storage/edge-ports.ts';
import { createHostOperationMirror } from '../storage/host-operation-mirror.ts';
import { createLiveFeed, type LiveFeed } from '../storage/live-feed.ts';
import { createMails, type Mails } from '../storage/mails.ts';
import { createVmids, type Vmids } from '../storage/vmids.ts';
import type { Logger } from '../telemetry/logger.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';
import { type EdgeClients, openEdgeClients } from './edge.ts';
import { createSendMail, type SendMail, wakeMailers } from './mail.ts';
import { measureCommits, measureFoundation } from './metrics.ts';

/** Shorter than the deadline of the state that waits for it. */
const BACKUP_MS = 55 * 60_000;

export interface AppOptions {
  readonly config: Config;
  readonly logger: Logger;
  /** Watched by crash tests, and by nobody else. */
  readonly observe?: ObserveCheckpoint;
}

/** What every role stands on. */
export interface Foundation {
  readonly config: Config;
  readonly logger: Logger;
  readonly database: Database;
  readonly redis: Redis;
  readonly proxmox: ProxmoxClient;
  readonly agents: AgentClient;
  readonly files: AgentFiles;
  readonly consoles: AgentConsole;
  readonly backups: AgentBackups;
  readonly codeServer: AgentCodeServer;
  readonly edge: EdgeClients;
  /** undefined: nothing is billed, and nobody is limited. */
  readonly stripe: StripeClient | undefined;
  readonly ports: EdgePorts;
  readonly actors: ActorSystem;
  readonly store: ActorStore;
  readonly debts: Debts;
  readonly vmids: Vmids;
  readonly feed: ChangeFeed;
  readonly liveFeed: LiveFeed;
  readonly queues: Queues;
  readonly relay: Relay;
  readonly mails: Mails;
  readonly mailWaker: MailWaker;
  readonly sendMail: SendMail;
  readonly metrics: Metrics;
  /** Of this process, among all of the service. */
  readonly nodeId: string;
  readonly now: () => number;
  readonly randomId: () => string;
  /** Aborted first of all when this node ends: whoever waits for something stops waiting. */
  readonly closing: AbortController;
  readonly observe?: ObserveCheckpoint | undefined;
}

/** Opens it, registering what is to be closed. */
export async function layFoundation(
  options: AppOptions,
  opened: AsyncDisposableStack,
): Promise<Foundation> {
  const { config, logger, observe } = options;
  const now = Date.now;
  const nodeId = randomBytes(6).toString('hex');
  const randomId = () => randomBytes(4).toString('hex');
  const warn = (what: string) => (err: unknown) => logger.warn({ err }, what);

  const database = opened.use(
    openDatabase({ ...config.database, onError: warn('a database connection broke') }),
  );
  const redis = openRedis(config.redis.url, opened, warn('a Redis connection broke'));
  // Unlike the other, it may wait for Redis: it asks for nothing but to be told.
  const subscriber = new Redis(config.redis.url, { maxRetriesPerRequest: null });
  subscriber.on('error', warn('a Redis connection broke'));
  opened.defer(() => subscriber.disconnect());
  const clients = await openClients(config, { now, randomId }, opened);
  const { prefix } = config.redis;
  const queued = { connection: redis, prefix, onError: warn('a queue broke') };
  const queues = opened.use(createQueues(queued));
  const feed = createChangeFeed({
    publisher: redis,
    subscriber,
    channel: `${prefix}:changed`,
    onError: warn('the change feed broke'),
  });
  const liveFeed = createLiveFeed({
    publisher: redis,
    subscriber,
    prefix,
    onError: warn('the live feed broke'),
  });
  const { retryMs } = config.effects;
  const relay = createRelay({
    ...{ queues, feed, observe, retryMs },
    onError: warn('could not wake the workers; a sweep will'),
  });
  const metrics = createMetrics();
  const store = measureCommits(createActorStore(database.pool), metrics);
  const actors = createActorSystem({
    store,
    definitions,
    now,
    nodeId,
    ...(observe && { observe }),
  });
  actors.onCommitted(relay.announce);
  measureFoundation(metrics, { actors, queues, database, now });
  actors.onCommitted(
    createHostOperationMirror({
      redis,
      prefix: config.redis.mirrorPrefix,
      onError: warn('cannot mirror an operation'),
    }),
  );
  feed.subscribe(actors.heard);
  const closing = new AbortController();
  return {
    config,
    logger,
    database,
    redis,
    ...clients,
    store,
    debts: createDebts(database.prisma),
    vmids: createVmids(database.pool),
    ports: createEdgePorts(database.pool),
    actors,
    ...{ feed, liveFeed },
    queues,
    relay,
    ...layMail(database, queues, logger),
    metrics,
    ...{ nodeId, now, randomId },
    closing,
    observe,
  };
}

function layMail({ pool }: Database, queues: Queues, logger: Logger) {
  const mails = createMails(pool);
  const mailWaker = wakeMailers(queues, logger);
  return { mails, mailWaker, sendMail: createSendMail(mails, mailWaker) };
}

async function openClients(
  config: Config,
  { now, randomId }: Pick<Foundation, 'now' | 'randomId'>,
  opened: AsyncDisposableStack,
) {
  const { caFile, ...target } = config.proxmox;
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8');
  const { port, token, timeoutMs } = config.agent;
  return {
    proxmox: opened.use(createProxmoxClient({ ...target, ca })),
    agents: opened.use(createAgentClient({ port, token, timeoutMs })),
    codeServer: opened.use(createAgentCodeServer({ port, token, timeoutMs })),
    files: opened.use(createAgentFiles({ port, token, timeoutMs, idleMs: config.files.idleMs })),
    consoles: opened.use(createAgentConsole({ port, token, timeoutMs, randomId })),
    backups: opened.use(createAgentBackups({ port, token, timeoutMs, orderTimeoutMs: BACKUP_MS })),
    edge: await openEdgeClients(config, opened),
    stripe: config.billing && opened.use(createStripeClient({ ...config.billing, now })),
  };
}

/** Fails fast while Redis is away: nobody waits for it, a sweep makes up for what it missed. */
function openRedis(url: string, opened: AsyncDisposableStack, onError: (error: unknown) => void) {
  const redis = new Redis(url, { maxRetriesPerRequest: null, enableOfflineQueue: false });
  redis.on('error', onError);
  opened.defer(() => redis.disconnect());
  return redis;
}
