import { createHash } from 'node:crypto';

import { describeRoutes } from '../clients/traefik/routes.ts';
import { routeOf } from '../machines/instance/route.ts';
import type { Fleet, FleetEntry } from '../view/fleet.ts';

export interface RouteText {
  readonly text: string;
  /** Strong: the same text, the same tag. */
  readonly etag: string;
}

/** What one route adds to the document: a member of the routers, and one of the services. */
interface Piece {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly router: string;
  readonly service: string;
}

const ETAG_CHARS = 32;
const PROTOCOLS = ['tcp', 'udp'] as const;

/** Under this name an entry keeps its piece: it is made once a version. */
const PIECE = 'route';

const membersIn = (section: object = {}): string => JSON.stringify(section).slice(1, -1);

function pieceOf({ derived, state: { context } }: FleetEntry): Piece | null {
  const known = derived.get(PIECE) as Piece | null | undefined;
  if (known !== undefined) return known;
  const { hostname, ip, payload } = context;
  const route = routeOf({ hostname, ip, targets: payload.edge?.targets ?? [] });
  const section = route && describeRoutes([route])[route.protocol];
  const piece = route && {
    name: route.name,
    protocol: route.protocol,
    router: membersIn(section?.routers),
    service: membersIn(section?.services),
  };
  derived.set(PIECE, piece);
  return piece;
}

const isSame = (a: Piece, b: Piece | undefined): boolean =>
  a === b || (a.router === b?.router && a.service === b.service);

/** As `describeRoutes` has it, without describing again whatever has not changed. */
function assemble(pieces: readonly Piece[]): string {
  const sorted = pieces.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const sections = PROTOCOLS.flatMap((protocol) => {
    const own = sorted.filter((piece) => piece.protocol === protocol);
    if (own.length === 0) return [];
    const routers = own.map(({ router }) => router).join(',');
    const services = own.map(({ service }) => service).join(',');
    return [`"${protocol}":{"routers":{${routers}},"services":{${services}}}`];
  });
  return `{${sections.join(',')}}`;
}

/**
 * The dynamic configuration of Traefik as this node knows the fleet. Instances change all the time
 * and their routes hardly ever, so the text is put together only when a route is another one.
 */
export function createRouteText(fleet: Pick<Fleet, 'select' | 'revision'>): () => RouteText {
  let latest: RouteText | undefined;
  let [revision, pieces] = [-1, [] as readonly Piece[]];
  return () => {
    const current = fleet.revision();
    if (latest && revision === current) return latest;
    const found = fleet
      .select({ customerId: null })
      .map(pieceOf)
      .filter((piece) => piece !== null);
    const isKept =
      found.length === pieces.length && found.every((piece, nth) => isSame(piece, pieces[nth]));
    [revision, pieces] = [current, found];
    if (latest && isKept) return latest;
    const text = assemble(found);
    const digest = createHash('sha256').update(text).digest('hex').slice(0, ETAG_CHARS);
    latest = { text, etag: `"${digest}"` };
    return latest;
  };
}
