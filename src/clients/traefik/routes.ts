/**
 * What Traefik asks us for: its HTTP provider polls a URL and takes what it finds there as its
 * dynamic configuration, https://doc.traefik.io/traefik/providers/http/. The entry points are
 * part of its static configuration, so the operator names them beforehand.
 */

export interface Route {
  /** Of the router and its service; unique. */
  readonly name: string;
  readonly entryPoint: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ip: string;
  readonly port: number;
}

interface Section {
  readonly routers: Readonly<Record<string, object>>;
  readonly services: Readonly<Record<string, object>>;
}

export type RouteDocument = Readonly<Partial<Record<'tcp' | 'udp', Section>>>;

/** Plain TCP does not say where it wants to go, so an entry point leads to one server only. */
const ANYWHERE = 'HostSNI(`*`)';

/** By name, so that the same routes are the same document. */
export function describeRoutes(routes: readonly Route[]): RouteDocument {
  const sorted = routes.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sectionOf = (protocol: Route['protocol']) => {
    const own = sorted.filter((route) => route.protocol === protocol);
    // Traefik refuses a document with an empty section.
    return own.length === 0 ? {} : { [protocol]: toSection(own) };
  };
  return { ...sectionOf('tcp'), ...sectionOf('udp') };
}

const toSection = (routes: readonly Route[]): Section => ({
  routers: Object.fromEntries(
    routes.map(({ name, entryPoint, protocol }) => [
      name,
      {
        entryPoints: [entryPoint],
        ...(protocol === 'tcp' && { rule: ANYWHERE }),
        service: name,
      },
    ]),
  ),
  services: Object.fromEntries(
    routes.map(({ name, ip, port }) => [
      name,
      { loadBalancer: { servers: [{ address: `${ip}:${port}` }] } },
    ]),
  ),
});
