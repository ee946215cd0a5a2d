import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';

import type { Express } from 'express';

import { createInstanceCreation } from '../http/create-instance.ts';
import { createContainerDeletion, type SightedContainer } from '../http/delete-container.ts';
import { createEdgePlanning } from '../http/edge-plan.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { createEventHub, EVENT_LIMITS } from '../http/event-hub.ts';
import { createEventTexts } from '../http/event-texts.ts';
import { createHostPower } from '../http/host-power.ts';
import { createInspectUpgrade } from '../http/inspect/upgrade.ts';
import { createWatching } from '../http/inspect/watch.ts';
import { createMetricsRouter } from '../http/metrics.ts';
import { catalogueEndpoints } from '../http/routes/catalogue.ts';
import { containerEndpoints } from '../http/routes/containers.ts';
import { eventEndpoints } from '../http/routes/events.ts';
import { gameEndpoints } from '../http/routes/game.ts';
import { healthEndpoints } from '../http/routes/health.ts';
import { hostEndpoints } from '../http/routes/host.ts';
import { instanceEndpoints } from '../http/routes/instances.ts';
import { createAwaitOperation, operationEndpoints } from '../http/routes/operations.ts';
import { serverEndpoints } from '../http/routes/servers.ts';
import { createHttpApp } from '../http/server.ts';
import { createServerTexts, type ServerTexts } from '../http/server-texts.ts';
import { attachUpgrades, type UpgradeTaker } from '../http/upgrades.ts';
import { createWaiting } from '../http/wait.ts';
import { queueBoardEndpoints } from '../http/web/queue-board.ts';
import { instanceMachine } from '../machines/instance/machine.ts';
import { readMarker } from '../machines/instance/marker.ts';
import { createFindRoles } from '../storage/credentials.ts';
import { createInstanceStore } from '../storage/instance-store.ts';
import { createInstances } from '../storage/instances.ts';
import { createOperations } from '../storage/operations.ts';
import { type AccountSide, createAccountSide } from './accounts.ts';
import { createAsk } from './ask.ts';
import { createBackupEndpoints } from './backups.ts';
import { type Billing, createBilling } from './billing.ts';
import { type ConsoleSide, createConsoleSide } from './console.ts';
import { createEdgeEndpoints } from './edge-endpoints.ts';
import { createFileEndpoints } from './files.ts';
import type { Foundation } from './foundation.ts';
import { needsOf } from './heart.ts';
import { createIdeSide, type IdeSide } from './ide.ts';
import { createInsightEndpoints } from './insight.ts';
import { createMailEndpoints } from './mail-endpoints.ts';
import { measureFleet } from './metrics.ts';
import { openPages } from './pages.ts';
import { unseenAfter } from './polls.ts';
import type { View } from './view.ts';

export interface Api {
  readonly app: Express;
  /** Gives the server its upgrade handler. */
  readonly attach: (server: Server) => void;
}

/** The HTTP side of a node. */
export async function createApi(foundation: Foundation, view: View): Promise<Api> {
  const problems = await readFile(new URL('../../docs/problems.md', import.meta.url), 'utf8');
  const { config, logger, metrics } = foundation;
  measureFleet(view.fleet, metrics);
  const billing = createBilling(foundation);
  const accounts = createAccountSide(foundation, {
    queueMail: foundation.sendMail,
    mailSoon: () => foundation.relay.sweepSoon('mails'),
    billingOf: billing.summaryOf,
    rolesSoon: () => foundation.relay.sweepSoon('entitlements'),
  });
  const { ide, ...ideSide } = createIdeSide(foundation, view, accounts.tokens);
  const console = createConsoleSide(foundation, view);
  const takers: readonly UpgradeTaker[] = [
    // First of all: at the name of an IDE nothing else is there, whatever the path.
    ide,
    console.createTaker(accounts.authenticate),
    createInspectUpgrade({
      watching: createWatching({ fleet: view.fleet, tail: view.tail, machine: instanceMachine }),
      authenticate: accounts.authenticate,
      findRoles: createFindRoles(foundation.database.pool),
      ...config.inspect,
      closing: foundation.closing.signal,
      now: foundation.now,
    }),
  ];
  const app = createHttpApp({
    endpoints: createEndpoints(foundation, view, { accounts, billing, console, ide: ideSide }),
    ide,
    authenticate: accounts.authenticate,
    ...config.http,
    problems,
    pages: await openPages(foundation, accounts.authenticate),
    logger,
    onRequest: metrics.observeRequest,
    metrics: createMetricsRouter(metrics, config.metrics.token),
  });
  return { app, attach: (server) => attachUpgrades(server, takers, logger) };
}

interface Sides {
  readonly accounts: Pick<AccountSide, 'endpoints' | 'limits'>;
  readonly billing: Pick<Billing, 'allowanceOf' | 'endpoints'>;
  readonly console: Pick<ConsoleSide, 'endpoints'>;
  readonly ide: Pick<IdeSide, 'endpoints'>;
}

type EndpointParts = Pick<
  Foundation,
  | 'config'
  | 'database'
  | 'redis'
  | 'proxmox'
  | 'agents'
  | 'files'
  | 'backups'
  | 'edge'
  | 'actors'
  | 'feed'
  | 'relay'
  | 'mails'
  | 'sendMail'
  | 'debts'
  | 'vmids'
  | 'ports'
  | 'nodeId'
  | 'now'
  | 'queues'
  | 'randomId'
  | 'closing'
  | 'logger'
> &
  Partial<Pick<Foundation, 'metrics'>>;

/** Every operation of the API, in the order of the documentation. */
export function createEndpoints(
  foundation: EndpointParts,
  view: View,
  { accounts, billing, console, ide }: Sides,
): readonly AnyEndpoint[] {
  const { config, database, proxmox, actors, feed, relay, debts, vmids } = foundation;
  const { now, randomId, closing } = foundation;
  const instances = createInstances(database.prisma);
  const { fleet, find } = view;
  const { everyMs, hostsEveryMs } = config.polls;
  const unseenAfterMs = unseenAfter(everyMs, hostsEveryMs);
  const texts = createServerTexts({
    live: view.live,
    now,
    unseenAfterMs,
    currentAt: view.tail.currentAt,
  });
  const waiting = createWaiting({ actors, feed, closing: closing.signal });
  const planEdge = createEdgePlanning(config.edge, foundation.ports);
  const create = createInstanceCreation({
    actors,
    instances: createInstanceStore(database.pool),
    vmids,
    isVmidFree: proxmox.isVmidFree,
    ranges: config.provisioning.vmids,
    readyDeadlineMs: config.provisioning.readyTimeoutMs,
    restarts: config.provisioning.restarts,
    planEdge,
    allowanceOf: billing.allowanceOf,
    now,
    randomId,
  });
  async function sight(vmid: number): Promise<SightedContainer | null> {
    const listed = await proxmox.findContainer(vmid);
    const found = listed && (await proxmox.readConfig({ node: listed.node, vmid }));
    return found && { hostname: found.hostname, marker: readMarker(found.description) };
  }
  const remove = createContainerDeletion({
    instances,
    actors,
    debts,
    vmids,
    sight,
    collectSoon: () => relay.sweepSoon('debts'),
    randomId,
  });
  const operations = createOperations(database.prisma);
  const awaitOperation = createAwaitOperation({ operations, waiting });
  const ask = createAsk(foundation);
  const power = createHostPower(ask);
  return [
    ...healthEndpoints(needsOf(foundation)),
    ...accounts.endpoints,
    ...catalogueEndpoints(),
    ...queueBoardEndpoints(),
    ...instanceEndpoints({ instances, fleet, texts, create, waiting }),
    // Before those of one server: `events` is not a VMID.
    ...eventEndpoints({ ...composeEvents(foundation, view, texts), instances }),
    ...serverEndpoints({ instances, fleet, find, texts, ask, waiting }),
    ...hostEndpoints({ find, live: view.live, power, awaitOperation, now, unseenAfterMs }),
    ...operationEndpoints({ find, operations, awaitOperation }),
    ...gameEndpoints({ find, agents: foundation.agents, actors }),
    ...console.endpoints,
    ...createFileEndpoints(foundation, find),
    ...createBackupEndpoints(foundation, { find, ask, awaitOperation }),
    ...ide.endpoints,
    ...containerEndpoints({ remove, instances, waiting }),
    ...billing.endpoints(waiting),
    ...createEdgeEndpoints(foundation, view, { ask, awaitOperation, planEdge }),
    ...createInsightEndpoints(foundation, view),
    ...createMailEndpoints(foundation, accounts.limits),
  ];
}

function composeEvents(
  { config, database, now, closing }: Pick<Foundation, 'config' | 'database' | 'now' | 'closing'>,
  { fleet, find, journal, tail }: View,
  texts: ServerTexts,
) {
  const limits = { ...EVENT_LIMITS, ...config.events };
  const eventTexts = createEventTexts({ fleet, texts });
  const common = { journal, limits };
  const hub = createEventHub({
    ...common,
    tail,
    fleet,
    texts,
    eventTexts,
    findRoles: createFindRoles(database.pool),
    now,
    closing: closing.signal,
  });
  return { ...common, hub, find };
}
