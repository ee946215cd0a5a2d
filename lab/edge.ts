import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, Server } from 'node:net';
import { join } from 'node:path';

import { type Cloudflare, startCloudflare } from './cloudflare/server.ts';
import { type Opnsense, startOpnsense } from './opnsense/server.ts';
import type { EntryPoints } from './router/configuration.ts';
import { type Router, type RouterOptions, startRouter } from './router/router.ts';
import { startTechnitium, type Technitium } from './technitium/server.ts';
import { startVelocity, type Velocity } from './velocity/velocity.ts';

export interface EdgeWorldOptions {
  readonly dataDir: string;
  /** Where the API will listen: the bridge reports there, and the router asks there. */
  readonly apiUrl: string;
  /** Where players of Minecraft connect to, if that is free; else any that is. */
  readonly gamePort?: number;
  readonly pingMs?: number;
  readonly pollMs?: number;
  /** How many servers of a game can be reached through the router at a time. */
  readonly portsEach?: number;
}

/** Everything by which instances are reached from outside, and the environment that leads there. */
export interface EdgeWorld extends AsyncDisposable {
  readonly cloudflare: Cloudflare;
  readonly technitium: Technitium;
  readonly opnsense: Opnsense;
  readonly velocity: Velocity;
  readonly router: Router;
  readonly environment: Readonly<Record<string, string>>;
}

const HERE = '127.0.0.1';
const PORTS_EACH = 4;
const GAMES = {
  terraria: { protocol: 'tcp', port: 7_777 },
  rust: { protocol: 'udp', port: 28_015 },
  projectzomboid: { protocol: 'udp', port: 16_261 },
  valheim: { protocol: 'udp', port: 2_456 },
  palworld: { protocol: 'udp', port: 8_211 },
} as const;

export async function startEdge(options: EdgeWorldOptions): Promise<EdgeWorld> {
  const { dataDir, apiUrl, pingMs, pollMs, portsEach = PORTS_EACH } = options;
  await using opened = new AsyncDisposableStack();
  const keep = (name: string) => keepSecret(join(dataDir, name));
  const velocitySecret = await keep('velocity-secret');
  const routerToken = await keep('traefik-token');
  const cloudflare = opened.use(await startCloudflare({ dataDir }));
  const technitium = opened.use(await startTechnitium({ dataDir }));
  const opnsense = opened.use(await startOpnsense({ dataDir }));
  const velocity = opened.use(
    await startVelocity({
      secret: velocitySecret,
      gamePort: await freeOr(options.gamePort),
      reportUrl: `${apiUrl}/internal/velocity/proxy-status`,
      ...(pingMs !== undefined && { pingMs }),
    }),
  );
  const { router, ranges } = await openRouter(portsEach, {
    url: `${apiUrl}/internal/traefik/dynamic`,
    token: routerToken,
    ...(pollMs !== undefined && { pollMs }),
  });
  opened.use(router);
  const environment = {
    EDGE_IP: HERE,
    PUBLIC_IP: HERE,
    TECHNITIUM_URL: technitium.url.href,
    TECHNITIUM_TOKEN: technitium.token,
    TECHNITIUM_ZONE: technitium.zone,
    CLOUDFLARE_URL: cloudflare.url.href,
    CLOUDFLARE_TOKEN: cloudflare.token,
    CLOUDFLARE_ZONE_ID: cloudflare.zoneId,
    CLOUDFLARE_ZONE: cloudflare.zone,
    OPNSENSE_URL: opnsense.url.href,
    OPNSENSE_KEY: opnsense.key,
    OPNSENSE_SECRET: opnsense.secret,
    VELOCITY_URL: velocity.url.href,
    VELOCITY_SECRET: velocitySecret,
    VELOCITY_PORT: String(velocity.gamePort),
    TRAEFIK_TOKEN: routerToken,
    TRAEFIK_ENTRYPOINTS: ranges
      .map(({ game, protocol, min }) => `${game}=${protocol}:${min}-${min + portsEach - 1}`)
      .join(','),
  };
  const closing = opened.move();
  return {
    ...{ cloudflare, technitium, opnsense, velocity, router, environment },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

interface Range {
  readonly game: string;
  readonly protocol: 'tcp' | 'udp';
  readonly min: number;
}

const ATTEMPTS_MAX = 20;

/** Somebody may take a port between the look and the opening: then others are chosen. */
async function openRouter(
  portsEach: number,
  options: Omit<RouterOptions, 'entryPoints'>,
): Promise<{ router: Router; ranges: readonly Range[] }> {
  for (let attempt = 1; ; attempt += 1) {
    const ranges = await chooseRanges(portsEach, { areUsual: attempt === 1 });
    try {
      const entryPoints = entryPointsOf(ranges, portsEach);
      return { router: await startRouter({ ...options, entryPoints }), ranges };
    } catch (error) {
      const isTaken = (error as { code?: string }).code === 'EADDRINUSE';
      if (!isTaken || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

const anyPort = () => 20_000 + (randomBytes(2).readUInt16BE() % 10_000);

/** The ports that the games are known by, or others if somebody here uses them. */
async function chooseRanges(
  portsEach: number,
  { areUsual }: { areUsual: boolean },
): Promise<readonly Range[]> {
  const chosen: Range[] = [];
  const taken = new Set<number>();
  for (const [game, { protocol, port }] of Object.entries(GAMES)) {
    let min: number = areUsual ? port : anyPort();
    while (!(await areFree({ protocol, min, portsEach }, taken))) min = anyPort();
    for (let offset = 0; offset < portsEach; offset += 1) taken.add(min + offset);
    chosen.push({ game, protocol, min });
  }
  return chosen;
}

async function areFree(
  { protocol, min, portsEach }: Pick<Range, 'protocol' | 'min'> & { portsEach: number },
  taken: ReadonlySet<number>,
): Promise<boolean> {
  for (let port = min; port < min + portsEach; port += 1) {
    if (taken.has(port) || !(await isFree(port, protocol))) return false;
  }
  return true;
}

async function isFree(port: number, protocol: Range['protocol']): Promise<boolean> {
  const socket = protocol === 'tcp' ? createServer() : createSocket('udp4');
  const outcome = once(socket, 'listening').then(
    () => true,
    () => false,
  );
  if (socket instanceof Server) socket.listen(port, HERE);
  else socket.bind(port, HERE);
  const isOpen = await outcome;
  if (isOpen) await new Promise<void>((resolve) => socket.close(() => resolve()));
  return isOpen;
}

const freeOr = async (port: number | undefined): Promise<number> =>
  port !== undefined && (await isFree(port, 'tcp')) ? port : 0;

/** As an operator would name them in Traefik's static configuration. */
function entryPointsOf(ranges: readonly Range[], portsEach: number): EntryPoints {
  const each = Array.from({ length: portsEach }, (_, offset) => offset);
  return Object.fromEntries(
    ranges.flatMap(({ game, protocol, min }) =>
      each.map((offset) => [`${game}-${min + offset}`, { protocol, port: min + offset }] as const),
    ),
  );
}

/** A secret of this lab, made once. */
export async function keepSecret(file: string): Promise<string> {
  const known = await readFile(file, 'utf8').catch(() => null);
  if (known) return known;
  const secret = randomBytes(24).toString('hex');
  await writeFile(file, secret, { mode: 0o600 });
  return secret;
}
