import { createHash } from 'node:crypto';

import { describeRoutes } from '../clients/traefik/routes.ts';
import { type InstanceRoute, routeOf } from '../machines/instance/route.ts';
import type { Fleet, FleetEntry } from '../view/fleet.ts';

export interface RouteText {
  readonly text: string;
  /** Strong: the same text, the same tag. */
  readonly etag: string;
}

const ETAG_CHARS = 32;

/** Under this name an entry keeps its route: it is made once a version. */
const ROUTE = 'route';

function routeOfEntry({ derived, state: { context } }: FleetEntry): InstanceRoute | null {
  const known = derived.get(ROUTE) as InstanceRoute | null | undefined;
  if (known !== undefined) return known;
  const { hostname, ip, payload } = context;
  const route = routeOf({ hostname, ip, targets: payload.edge?.targets ?? [] });
  derived.set(ROUTE, route);
  return route;
}

/** The dynamic configuration of Traefik as this node knows the fleet, made anew if that changes. */
export function createRouteText(fleet: Pick<Fleet, 'select' | 'revision'>): () => RouteText {
  let latest: (RouteText & { readonly revision: number }) | undefined;
  return () => {
    const revision = fleet.revision();
    if (latest?.revision === revision) return latest;
    const routes = fleet.select({ customerId: null }).map(routeOfEntry);
    const text = JSON.stringify(describeRoutes(routes.filter((route) => route !== null)));
    const digest = createHash('sha256').update(text).digest('hex').slice(0, ETAG_CHARS);
    latest = { revision, text, etag: `"${digest}"` };
    return latest;
  };
}
