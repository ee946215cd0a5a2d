import { once } from 'node:events';
import { mkdirSync, realpathSync } from 'node:fs';
import { createServer, type Server } from 'node:https';

import { type ByHand, createByHand } from './by-hand.ts';
import type { Cluster } from './cluster.ts';
import { type Credentials, loadCredentials } from './credentials.ts';
import { createFaults, type FaultPlan, type Faults } from './faults.ts';
import { createListener, type SeenRequest } from './http.ts';
import type { ProxmoxOptions } from './options.ts';
import { killLeftovers } from './processes.ts';
import { clusterEndpoints } from './routes/cluster.ts';
import { containerEndpoints } from './routes/containers.ts';
import { powerEndpoints } from './routes/power.ts';
import { taskEndpoints } from './routes/tasks.ts';
import { claimAddresses, claimFolder, createCluster, ensureTemplate, resume } from './set-up.ts';

/** A running stand-in for Proxmox VE: its API, its containers and ways to make them fail. */
export interface Proxmox extends ByHand, AsyncDisposable {
  readonly url: URL;
  /** The certificate to pin, as PEM. */
  readonly ca: string;
  readonly tokenId: string;
  readonly tokenSecret: string;
  readonly templateVmid: number;
  readonly nodes: readonly string[];
  readonly faults: FaultPlan;
  requests(): readonly SeenRequest[];
}

const REQUESTS_MAX = 10_000;

/** Everything lives in dataDir; started there again, containers, tasks and secrets are the same. */
export async function startProxmox(options: ProxmoxOptions): Promise<Proxmox> {
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  await using opened = new AsyncDisposableStack();
  opened.use(await claimFolder(dataDir));
  const left = await killLeftovers(dataDir);
  if (left > 0) options.log?.(`ended ${left} processes of an earlier run`);
  const credentials = await loadCredentials(dataDir);
  const block = opened.use(await claimAddresses(dataDir));
  const abort = new AbortController();
  const cluster = createCluster(options, dataDir, block, abort);
  opened.defer(() => cluster.power.killAll());
  opened.defer(async () => {
    abort.abort(new Error('the stand-in ends'));
    await cluster.tasks.settled();
  });
  const templateVmid = options.templateVmid ?? 9_000;
  ensureTemplate(cluster, templateVmid);
  resume(cluster);
  const faults = createFaults();
  const requests: SeenRequest[] = [];
  const server = opened.use(
    await listen(cluster, credentials, faults, requests, options.port ?? 0),
  );
  const everything = opened.move();
  return {
    url: server.url,
    ca: credentials.cert,
    tokenId: cluster.tokenId,
    tokenSecret: credentials.tokenSecret,
    templateVmid,
    nodes: cluster.nodes,
    faults,
    requests: () => requests,
    ...createByHand(cluster),
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

async function listen(
  cluster: Cluster,
  { key, cert, tokenSecret }: Credentials,
  faults: Faults,
  requests: SeenRequest[],
  port: number,
): Promise<AsyncDisposable & { url: URL }> {
  const listener = createListener({
    cluster,
    faults,
    endpoints: [...clusterEndpoints, ...containerEndpoints, ...powerEndpoints, ...taskEndpoints],
    tokenSecret,
    seen(request) {
      requests.push(request);
      if (requests.length > REQUESTS_MAX) requests.shift();
    },
  });
  const server = createServer({ key, cert }, (request, response) => {
    listener(request, response).catch(() => request.socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: new URL(`https://127.0.0.1:${portOf(server)}`),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}
