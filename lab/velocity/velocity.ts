import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

import { createFaults, type FaultPlan } from '../proxmox/faults.ts';
import type { Listener } from '../sockets.ts';
import { type Bridge, createListener, type SeenRequest } from './http.ts';
import { startProxy } from './proxy.ts';
import { createRegistry, type Registered } from './registry.ts';
import { createReports, type SentReport } from './reports.ts';
import { createWatch } from './watch.ts';

export interface VelocityOptions {
  /** Shared with the control plane; both sides send its hash. */
  readonly secret: string;
  readonly host?: string;
  /** Of the bridge. */
  readonly port?: number;
  /** Where players connect. */
  readonly gamePort?: number;
  /** Where the bridge reports to; also settable later. */
  readonly reportUrl?: string | undefined;
  /** Between two pings of a server. */
  readonly pingMs?: number;
  /** Its status does not say what is registered. */
  readonly isOlder?: boolean;
  /** The server that players reach by a hostname; its first label when left out. */
  readonly serverOf?: (hostname: string) => string | undefined;
}

/** A running stand-in for Velocity with its bridge: real players play through it. */
export interface Velocity extends AsyncDisposable {
  /** Of the bridge. */
  readonly url: URL;
  readonly host: string;
  readonly gamePort: number;
  readonly faults: FaultPlan;
  requests(): readonly SeenRequest[];
  servers(): readonly Registered[];
  reportTo(url: string | undefined): void;
  reports(): readonly SentReport[];
  /** As after a crash of the proxy: nobody plays any more, and nothing is registered. */
  restart(): void;
}

const REQUESTS_MAX = 10_000;
const PING_MS = 5_000;

export async function startVelocity(options: VelocityOptions): Promise<Velocity> {
  const { host = '127.0.0.1', serverOf = firstLabel } = options;
  const hash = createHash('sha256').update(options.secret).digest('hex');
  await using opened = new AsyncDisposableStack();
  const faults = createFaults();
  const requests: SeenRequest[] = [];
  const registry = createRegistry();
  const reports = createReports(hash, options.reportUrl);
  opened.defer(() => reports.stop());
  const watch = createWatch({
    pingMs: options.pingMs ?? PING_MS,
    changed: (server, result) =>
      reports.post(
        server,
        result.ok
          ? { status: 'proxy_ping_ok', latency_ms: result.latencyMs }
          : { status: 'proxy_ping_failed', detail: result.detail },
      ),
  });
  opened.defer(() => watch.settled());
  opened.defer(() => watch.endAll());
  const route = (hostname: string) => {
    const found = registry.find(serverOf(hostname) ?? '');
    return found && { host: found.address, port: found.port };
  };
  const proxy: Listener = opened.use(
    await startProxy({ host, port: options.gamePort ?? 0, route }),
  );
  const closing = new AbortController();
  const listener = createListener({
    bridge: createBridge(),
    hash,
    listsServers: !options.isOlder,
    faults,
    closing: closing.signal,
    seen(request) {
      requests.push(request);
      if (requests.length > REQUESTS_MAX) requests.shift();
    },
  });
  const server = opened.use(await listen(host, options.port ?? 0, listener));
  opened.defer(() => closing.abort(new Error('the bridge ends')));

  function createBridge(): Bridge {
    return {
      list: registry.list,
      register(one) {
        const outcome = registry.register(one);
        if (outcome === 'taken') return outcome;
        const duplicate = outcome === 'duplicate' ? { duplicate: true } : {};
        reports.post(one, { status: 'registered_with_proxy', ...duplicate });
        watch.begin(one);
        return outcome;
      },
      unregister(name) {
        const gone = registry.unregister(name);
        if (gone) watch.end(gone);
        return gone !== undefined;
      },
    };
  }

  const everything = opened.move();
  return {
    url: server.url,
    host,
    gamePort: proxy.port,
    faults,
    requests: () => requests,
    servers: registry.list,
    reportTo: reports.sendTo,
    reports: reports.sent,
    restart() {
      watch.endAll();
      registry.clear();
      proxy.drop();
      server.drop();
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

function firstLabel(hostname: string): string | undefined {
  return hostname.split('.')[0];
}

async function listen(
  host: string,
  port: number,
  listener: (...call: Parameters<RequestListener>) => Promise<void>,
) {
  const server = createServer((request, response) => {
    listener(request, response).catch(() => request.socket.destroy());
  });
  server.listen(port, host);
  await once(server, 'listening');
  const { port: chosen } = server.address() as AddressInfo;
  return {
    url: new URL(`http://${host}:${chosen}`),
    drop: () => server.closeAllConnections(),
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
