import { readFile } from 'node:fs/promises';

import { createCloudflareClient } from '../clients/cloudflare/client.ts';
import type { DnsClient } from '../clients/dns-records.ts';
import { createOpnsenseClient, type OpnsenseClient } from '../clients/opnsense/client.ts';
import { createTechnitiumClient } from '../clients/technitium/client.ts';
import { createVelocityClient, type VelocityClient } from '../clients/velocity/client.ts';
import type { Config } from '../config.ts';
import type { EdgeOptions } from '../queues/effects/edge.ts';
import { createBridgeSweep } from '../queues/polls/sweep-bridge.ts';
import { createTell, isUnchanged } from '../queues/polls/tell.ts';
import { createEdgeCheck, type EdgeChecks } from '../queues/workers/check-edge.ts';
import { createDnsReconciliation } from '../queues/workers/reconcile-dns.ts';
import type { Sweeps } from '../queues/workers/sweep.ts';
import { createRouteFile } from '../queues/workers/write-routes.ts';
import { createEdgeHealthReports } from '../storage/edge-health.ts';
import { createEdgeTargets } from '../storage/edge-targets.ts';
import { createInstances } from '../storage/instances.ts';
import { createJournalReader } from '../storage/journal.ts';
import { createRouterSights } from '../storage/router-sights.ts';
import type { Foundation } from './foundation.ts';

/** The third parties by which instances are reached; undefined are those that are not configured. */
export interface EdgeClients {
  readonly internalDns: DnsClient | undefined;
  readonly publicDns: DnsClient | undefined;
  readonly opnsense: OpnsenseClient | undefined;
  readonly velocity: VelocityClient | undefined;
}

const CHECK_MS = 30_000;
/** Much less than what waits for a route to be written. */
const WRITE_MS = 2_000;
const CHECK_NAMES = {
  internalDns: 'internal_dns',
  publicDns: 'public_dns',
  opnsense: 'forward',
  velocity: 'velocity',
} as const;

export async function openEdgeClients(
  { edge }: Config,
  opened: AsyncDisposableStack,
): Promise<EdgeClients> {
  const { timeoutMs, technitium, cloudflare, opnsense, velocity } = edge;
  const use = <Client extends AsyncDisposable>(client: Client | undefined) =>
    client && opened.use(client);
  return {
    internalDns: use(
      technitium &&
        createTechnitiumClient({ ...technitium, ca: await readCa(technitium.caFile), timeoutMs }),
    ),
    publicDns: use(cloudflare && createCloudflareClient({ ...cloudflare, timeoutMs })),
    opnsense: use(
      opnsense &&
        createOpnsenseClient({ ...opnsense, ca: await readCa(opnsense.caFile), timeoutMs }),
    ),
    velocity: use(velocity && createVelocityClient({ ...velocity, timeoutMs })),
  };
}

const readCa = async (file: string | undefined) =>
  file === undefined ? undefined : readFile(file, 'utf8');

export type EdgeParts = Pick<
  Foundation,
  'actors' | 'config' | 'database' | 'edge' | 'logger' | 'now' | 'proxmox' | 'redis'
>;

export const createSights = ({ config, database, redis }: EdgeParts) =>
  createRouterSights({ redis, prefix: config.redis.prefix, pool: database.pool });

/** How effects at the edge are performed. */
export function composeEdgeOptions(parts: EdgeParts): EdgeOptions {
  const { traefik } = parts.config.edge;
  return {
    ...parts.edge,
    router: traefik && createSights(parts),
    pollMs: parts.config.proxmox.pollMs,
    routerTimeoutMs: traefik?.pollTimeoutMs ?? 0,
  };
}

/** The comparison of DNS with our rows and Proxmox, for the sweep and for whoever asks for it. */
export function createDnsComparison({ actors, database, edge, now, proxmox }: EdgeParts) {
  const { internalDns, publicDns } = edge;
  return createDnsReconciliation({
    zones: {
      ...(internalDns && { internal_dns: internalDns }),
      ...(publicDns && { public_dns: publicDns }),
    },
    targets: createEdgeTargets(database.pool),
    instances: createInstances(database.prisma),
    proxmox,
    tell: createTell(actors),
    now,
  });
}

type CheckKey = keyof typeof CHECK_NAMES;

/** The third parties that are configured, as their health names them. */
export const namesOfParties = (edge: EdgeClients): readonly string[] =>
  Object.entries(CHECK_NAMES).flatMap(([key, name]) => (edge[key as CheckKey] ? [name] : []));

/** What looks at third parties by itself; nothing for those that are not configured. */
export function createEdgeSweeps(parts: EdgeParts): Sweeps {
  const { actors, config, database, edge, logger, now, redis } = parts;
  const { velocity } = edge;
  const checks: EdgeChecks = Object.fromEntries(
    Object.entries(CHECK_NAMES).flatMap(([key, name]) => {
      const client = edge[key as CheckKey];
      return client ? [[name, (call: { signal: AbortSignal }) => client.check(call)]] : [];
    }),
  );
  const compareDns = createDnsComparison(parts);
  const file = config.edge.traefik?.file;
  return {
    ...(file !== undefined && {
      routes: {
        everyMs: WRITE_MS,
        run: createRouteFile({
          file,
          targets: createEdgeTargets(database.pool),
          sights: createSights(parts),
          head: createJournalReader(database.pool).head,
          now,
        }),
      },
    }),
    ...(velocity && {
      bridge: {
        everyMs: config.edge.reconcileEveryMs,
        run: createBridgeSweep({
          targets: createEdgeTargets(database.pool),
          velocity,
          tell: createTell(actors),
          isUnchanged: (target) => isUnchanged(actors, target),
          logger,
        }),
      },
    }),
    ...((edge.internalDns || edge.publicDns) && {
      dns: {
        everyMs: config.edge.dnsEveryMs,
        run: async (shutdown) => void (await compareDns({ isDryRun: false, shutdown })),
      },
    }),
    ...(Object.keys(checks).length > 0 && {
      'edge-health': {
        everyMs: CHECK_MS,
        run: createEdgeCheck({
          checks,
          reports: createEdgeHealthReports(redis, config.redis.prefix),
          now,
        }),
      },
    }),
  };
}
