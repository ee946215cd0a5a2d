import { listenTcp, splice, type Target } from '../sockets.ts';
import { type EntryPoints, type Routes, readConfiguration } from './configuration.ts';
import { type PollCounts, startProvider } from './provider.ts';
import { listenUdp } from './udp.ts';

export interface RouterOptions {
  /** Where the dynamic configuration is fetched, and with which bearer token. */
  readonly url: string;
  readonly token: string;
  readonly entryPoints: EntryPoints;
  readonly host?: string;
  readonly pollMs?: number;
  /** After this much silence a client of UDP is forgotten. */
  readonly idleMs?: number;
}

/** A running stand-in for Traefik: TCP and UDP by its dynamic configuration, and nothing else. */
export interface Router extends AsyncDisposable {
  readonly host: string;
  /** By the name of the entry point. */
  readonly ports: Readonly<Record<string, number>>;
  readonly polls: () => PollCounts;
  /** What is wrong with the configuration in force, or why the last one was rejected. */
  problems(): readonly string[];
  /** TCP connections of both sides, and clients of UDP. */
  open(): number;
}

const POLL_MS = 5_000;
const IDLE_MS = 3_000;

/**
 * A change counts for whoever comes after it: connections stay where they are, and so does a
 * client of UDP until it falls silent. Without a configuration the doors are open and lead nowhere.
 */
export async function startRouter(options: RouterOptions): Promise<Router> {
  const { host = '127.0.0.1', entryPoints } = options;
  await using opened = new AsyncDisposableStack();
  const ports: Record<string, number> = {};
  const openAt: (() => number)[] = [];
  let routes: Routes = new Map();
  let problems: readonly string[] = [];
  let turns = 0;

  const next = (entryPoint: string): Target | undefined => {
    const targets = routes.get(entryPoint) ?? [];
    turns += 1;
    return targets[turns % targets.length];
  };
  for (const [name, { protocol, port }] of Object.entries(entryPoints)) {
    const route = () => next(name);
    if (protocol === 'tcp') {
      const listener = opened.use(await listenTcpAt({ host, port, route }));
      openAt.push(listener.connections);
      ports[name] = listener.port;
    } else {
      const idleMs = options.idleMs ?? IDLE_MS;
      const forwarder = opened.use(await listenUdp({ host, port, route, idleMs }));
      openAt.push(forwarder.sessions);
      ports[name] = forwarder.port;
    }
  }
  const provider = opened.use(
    startProvider({
      url: options.url,
      token: options.token,
      pollMs: options.pollMs ?? POLL_MS,
      changed(text) {
        ({ routes, problems } = readConfiguration(text, entryPoints));
      },
    }),
  );
  const everything = opened.move();
  return {
    host,
    ports,
    polls: provider.polls,
    problems: () => [...problems, ...[provider.trouble() ?? []].flat()],
    open: () => openAt.reduce((sum, count) => sum + count(), 0),
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}

function listenTcpAt({ host, port, route }: Target & { route: () => Target | undefined }) {
  return listenTcp({
    host,
    port,
    async accept(client, dial) {
      const target = route();
      if (target) splice(client, await dial(target));
      else client.destroy();
    },
  });
}
