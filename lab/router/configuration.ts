import { z } from 'zod';

import type { Target } from '../sockets.ts';

export type Protocol = 'tcp' | 'udp';

export interface EntryPoint {
  readonly protocol: Protocol;
  /** 0: any that is free. */
  readonly port: number;
}

export type EntryPoints = Readonly<Record<string, EntryPoint>>;

/** Where each entry point leads, by its name. The servers take turns. */
export type Routes = ReadonlyMap<string, readonly Target[]>;

const service = z.strictObject({
  loadBalancer: z.strictObject({ servers: z.array(z.strictObject({ address: z.string() })) }),
});
const udpRouter = z.strictObject({
  entryPoints: z.array(z.string()).optional(),
  service: z.string(),
});
const tcpRouter = udpRouter.extend({
  rule: z.string().optional(),
  priority: z.int().optional(),
});
const sectionOf = <R extends z.ZodType>(router: R) =>
  z.strictObject({
    routers: z.record(z.string(), router).default({}),
    services: z.record(z.string(), service).default({}),
  });
/** The section `http` is for somebody else. */
const document = z.strictObject({
  http: z.unknown().optional(),
  tcp: sectionOf(tcpRouter).optional(),
  udp: sectionOf(udpRouter).optional(),
});

type Router = z.output<typeof tcpRouter>;
type Services = Readonly<Record<string, z.output<typeof service>>>;

interface Section {
  readonly routers: Readonly<Record<string, Router>>;
  readonly services: Services;
}

/** Plain TCP does not say where it wants to go, so this is the only rule that can match it. */
const ANYWHERE = 'HostSNI(`*`)';

/**
 * A document that Traefik could not decode throws, and is rejected as a whole: a member that it does
 * not know, or an empty one. A router or service that makes no sense is left out alone, with a word
 * about it in `problems`.
 */
export function readConfiguration(
  text: string,
  entryPoints: EntryPoints,
): { readonly routes: Routes; readonly problems: readonly string[] } {
  const json: unknown = JSON.parse(text);
  for (const [name, member] of membersOf(json)) refuseEmpty(name, member);
  const parsed = document.parse(json);
  const problems: string[] = [];
  const routes = new Map<string, readonly Target[]>();
  for (const protocol of ['tcp', 'udp'] as const) {
    const found = parsed[protocol];
    if (!found) continue;
    const names = Object.keys(entryPoints).filter((name) => of(entryPoints, name) === protocol);
    for (const [name, target] of routesOf(protocol, found, names, problems))
      routes.set(name, target);
  }
  return { routes, problems };
}

function routesOf(
  protocol: Protocol,
  { routers, services }: Section,
  entryPoints: readonly string[],
  problems: string[],
): Routes {
  const routes = new Map<string, readonly Target[]>();
  for (const [name, one] of byPriority(routers)) {
    const servers = services[one.service]?.loadBalancer.servers;
    const trouble = troubleOf(protocol, one, servers !== undefined);
    if (trouble) {
      problems.push(`${protocol} router ${name}: ${trouble}`);
      continue;
    }
    const targets = (servers ?? []).map(({ address }) => targetOf(address));
    if (targets.includes(undefined))
      problems.push(`${protocol} service ${one.service}: bad address`);
    for (const entryPoint of one.entryPoints ?? entryPoints) {
      if (!entryPoints.includes(entryPoint))
        problems.push(`${protocol} router ${name}: there is no entry point ${entryPoint}`);
      else if (!routes.has(entryPoint)) routes.set(entryPoint, targets.filter(isThere));
    }
  }
  return routes;
}

function troubleOf(protocol: Protocol, { rule, service }: Router, isKnown: boolean): string {
  if (!isKnown) return `there is no service ${service}`;
  if (protocol === 'udp') return '';
  if (rule === undefined) return 'there is no rule';
  return rule === ANYWHERE ? '' : `the rule ${rule} needs TLS, which games do not speak`;
}

/** The highest first; among equals the name decides, so that the outcome is always the same. */
function byPriority(routers: Section['routers']): [string, Router][] {
  return Object.entries(routers).sort(
    ([a, one], [b, other]) => (other.priority ?? 0) - (one.priority ?? 0) || (a < b ? -1 : 1),
  );
}

function targetOf(address: string): Target | undefined {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:]+)):(?<port>\d{1,5})$/.exec(address);
  const host = match?.groups?.['v6'] ?? match?.groups?.['host'];
  const port = Number(match?.groups?.['port']);
  return host && port > 0 && port <= 65_535 ? { host, port } : undefined;
}

/**
 * Traefik takes an empty element for a value where it wants a structure. Only the whole document may
 * be empty: so what had one route and loses it must lose its section too.
 */
function refuseEmpty(name: string, element: unknown): void {
  if (typeof element !== 'object' || element === null) return;
  const members = membersOf(element);
  if (members.length === 0) throw new Error(`${name} cannot be a standalone element`);
  for (const [key, member] of members) refuseEmpty(key, member);
}

function membersOf(element: unknown): [string, unknown][] {
  return Object.entries(typeof element === 'object' && element !== null ? element : {});
}

const isThere = (target: Target | undefined): target is Target => target !== undefined;
const of = (entryPoints: EntryPoints, name: string) => entryPoints[name]?.protocol;
