import type { AnyEndpoint } from '../../src/http/endpoint.ts';
import type { Caller } from './authorisation-callers.ts';
import type { Row } from './authorisation-table.ts';
import { type AuthorisationWorld, USERS } from './authorisation-world.ts';

type Route = Pick<AnyEndpoint, 'operationId' | 'method' | 'path'>;
type Table = Readonly<Record<string, Row>>;

interface Cell {
  readonly route: string;
  readonly who: string;
  readonly expected: string;
  readonly got: string;
}

const NOBODY = '401 unauthenticated';
const UNSCOPED = '403 scope_missing';
const ADMINS_ONLY = '403 forbidden';
/** Never 403: whether there is such a thing is not theirs to know. */
const SOMEBODY_ELSES = '404 not_found';
const REFUSALS = [NOBODY, UNSCOPED, ADMINS_ONLY, SOMEBODY_ELSES];

/** What has to be, by the class of the row alone. */
function expectedOf(row: Row, method: string, { as, machine }: Caller): string {
  const { access, done } = row;
  if (access === 'public') return done;
  if (access === 'gate') {
    return machine === row.opensFor ? done : (row.refused ?? NOBODY);
  }
  if (!as) return NOBODY;
  const { who, scopes } = as;
  if (scopes) {
    if (access.includes('session')) return UNSCOPED;
    if (!scopes.includes(method === 'get' ? 'read' : 'write')) return UNSCOPED;
    if (access === 'admin' && !scopes.includes('admin')) return UNSCOPED;
  }
  const isAdmin = who === 'admin' && (scopes === null || scopes.includes('admin'));
  if (access === 'admin' || access === 'admin_session') return isAdmin ? done : ADMINS_ONLY;
  const isTheirs = who === 'owner' || who === 'suspended';
  if (access === 'own' && !isTheirs && !isAdmin) return SOMEBODY_ELSES;
  if (access === 'own_session' && !isTheirs) return SOMEBODY_ELSES;
  if (who === 'suspended') return row.suspended ?? done;
  return isAdmin ? (row.admin ?? done) : done;
}

/** Routes without a row, and rows without a route. */
export function unmatched(routes: readonly Route[], table: Table): readonly string[] {
  const known = new Set(routes.map(({ operationId }) => operationId));
  const name = ({ operationId, method, path }: Route) =>
    `${operationId} (${method} ${path}) has no row`;
  return [
    ...routes.filter(({ operationId }) => !table[operationId]).map(name),
    ...Object.keys(table)
      .filter((operationId) => !known.has(operationId))
      .map((operationId) => `${operationId} has no route`),
  ];
}

interface MatrixOptions {
  readonly world: AuthorisationWorld;
  readonly callers: readonly Caller[];
  readonly table: Table;
  /** Where the routes are. */
  readonly url: string;
}

/** Asks every route as every caller, one after the other. */
export async function askAll(
  routes: readonly Route[],
  options: MatrixOptions,
): Promise<readonly Cell[]> {
  const cells: Cell[] = [];
  for (const route of routes) {
    const row = options.table[route.operationId];
    if (row) cells.push(...(await askRoute(route, row, options)));
  }
  return cells;
}

/**
 * Whoever is to be refused asks for one and the same thing, which must be as it was in the end;
 * whoever is not gets one of his own, so that nobody finds what somebody else has left.
 */
async function askRoute(route: Route, row: Row, { world, callers, url }: MatrixOptions) {
  const { target } = row;
  const cells: Cell[] = [];
  const refusedId = await world.make(target, 'owner');
  for (const caller of callers) {
    const expected = expectedOf(row, route.method, caller);
    const whose = caller.as?.who === 'suspended' ? 'suspended' : 'owner';
    const isRefused = REFUSALS.includes(expected) || row.refused === expected;
    const id = isRefused ? refusedId : await world.make(target, whose);
    const path = `${pathOf(route.path, id)}${row.query ?? ''}`;
    const got = await outcomeOf(new URL(path, url), { route, row, caller, id });
    cells.push({ route: nameOf(route), who: caller.name, expected, got });
  }
  if (target && !(await world.isUntouched(target, refusedId))) {
    const rest = { who: 'whoever was refused', expected: 'nothing changed', got: 'a change' };
    cells.push({ route: nameOf(route), ...rest });
  }
  return cells;
}

const nameOf = ({ operationId, method, path }: Route) =>
  `${operationId} ${method.toUpperCase()} ${path}`;

/** Of operations there is the one by which the container was made. */
export const pathOf = (path: string, id: string): string =>
  path.replace(':opId', 'op-1').replace(':revision', '1').replace(/:\w+/, id);

interface Asking {
  readonly route: Route;
  readonly row: Row;
  readonly caller: Caller;
  readonly id: string;
}

async function outcomeOf(url: URL, { route, row, caller, id }: Asking): Promise<string> {
  const body = row.body && JSON.stringify(row.body(id));
  const headers = await caller.headers({ body: body ?? '', isLast: row.endsSession ?? false });
  const response = await fetch(url, {
    method: route.method.toUpperCase(),
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body }),
  });
  const { status } = response;
  const type = response.headers.get('content-type') ?? '';
  // It would never end.
  if (type.includes('event-stream')) {
    await response.body?.cancel();
    return String(status);
  }
  const text = await response.text();
  const { error, reason = error } = status < 400 ? {} : readProblem(text);
  const why = reason === undefined ? '' : ` ${reason}`;
  const leak = isTold(caller, text) ? ', and tells of the owner' : '';
  return `${status}${why}${leak}`;
}

function readProblem(text: string): { readonly error?: string; readonly reason?: string } {
  return JSON.parse(text);
}

/** What is the owner's bears this id; others get to know of none of it, in whatever list. */
const isTold = ({ as, machine }: Caller, text: string): boolean =>
  as?.who !== 'owner' && as?.who !== 'admin' && !machine && text.includes(USERS.owner);

/** Every cell that is not as it ought to be, for people to read. */
export const differences = (cells: readonly Cell[]): readonly string[] =>
  cells
    .filter(({ expected, got }) => expected !== got)
    .map(
      ({ route, who, expected, got }) => `${route} | ${who} | expected ${expected} | got ${got}`,
    );
