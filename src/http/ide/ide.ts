import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import { InvalidInputError, NotFoundError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { devAddressOf } from '../agent-access.ts';
import { toProblem } from '../problem.ts';
import { createRequestStream } from '../request-stream.ts';
import { pathOf, refuseUpgrade, type UpgradeTaker } from '../upgrades.ts';
import type { Admission, Admitted } from './admission.ts';
import type { ContainerProxy, Passage } from './container-proxy.ts';
import { readOurs, setOurs } from './cookies.ts';
import type { Exchanges } from './exchanges.ts';
import type { IdePlace, IdePlaces } from './place.ts';
import { ACTIONS, type Action, answerRefusal } from './refusals.ts';
import { requireSameOrigin } from './same-origin.ts';
import { headersToContainer } from './to-container.ts';
import { onThisHost, takeTokens } from './url-token.ts';

export interface IdeOptions {
  readonly places: IdePlaces;
  readonly admission: Admission;
  readonly exchanges: Exchanges;
  readonly proxy: ContainerProxy;
  /** What a page of ours asks for. @throws ControlPlaneError with the reason if it is refused */
  readonly act: (action: Action, admitted: Admitted) => Promise<void>;
  readonly isSecure: boolean;
  readonly cookieTtlS: number;
  /** Where the IDE listens in its container. */
  readonly port: number;
  readonly logger: Logger;
}

/** IDEs by HTTP and WebSocket. */
export interface Ide extends UpgradeTaker {
  answer(request: IncomingMessage, response: ServerResponse): void;
}

export function createIde(options: IdeOptions): Ide {
  const { places, logger } = options;
  return {
    claims: (request) => places.find(request) !== null,
    answer(request, response) {
      const context = { place: null as IdePlace | null, admitted: null as Admitted | null };
      serve(request, response, options, context).catch((error: unknown) => {
        const { place, admitted } = context;
        report(error, request, logger);
        answerRefusal(request, response, error, { place, entry: admitted?.entry ?? null });
      });
    },
    take: (request, socket, head) => upgrade(request, asSocket(socket), head, options),
  };
}

interface Context {
  place: IdePlace | null;
  admitted: Admitted | null;
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: IdeOptions,
  context: Context,
): Promise<void> {
  const { admission, isSecure } = options;
  const place = requirePlace(request, options);
  context.place = place;
  requireSameOrigin(request, { isSecure, isUpgrade: false });
  const { tokens, path } = takeTokens(place.path);
  const [token] = tokens;
  const here = onThisHost(`${place.prefix}${path.startsWith('/') ? path : `/${path}`}`);
  if (token !== undefined && isNavigation(request)) {
    const cookie = await enter(token, request, place, options);
    redirect(response, here, cookie);
    return;
  }
  const admitted = await admission.admit(oursOf(request, place, options), place.vmid);
  context.admitted = admitted;
  const cookie = await renewed(admitted, place, options);
  if (!path.startsWith('/')) return redirect(response, here, cookie);
  const action = (Object.keys(ACTIONS) as Action[]).find((one) => ACTIONS[one] === path);
  if (action !== undefined && request.method === 'POST') {
    await options.act(action, admitted);
    return redirect(response, `${place.prefix}/`, cookie);
  }
  // Whoever has gone while he was looked up would never be seen to leave.
  if (response.destroyed) return;
  const leave = options.exchanges.enter({ ...exchangeOf(admitted), end: () => response.destroy() });
  response.once('close', leave);
  const target = `${hostOf(devAddressOf(admitted.entry))}:${options.port}`;
  const passage: Passage = {
    ...{ place, target, cookie, host: request.headers.host ?? '' },
    onFailure(error) {
      report(error, request, options.logger);
      answerRefusal(request, response, error, { place, entry: admitted.entry });
    },
  };
  // The body is asked for here: what the client expects is no business of the container's.
  createRequestStream(request, response).open();
  request.headers = headersToContainer(request.headers, { isSecure, isUpgrade: false });
  request.url = path;
  options.proxy.pass(request, response, passage);
}

/** A link that has been used still leads whoever is in to where it led. */
async function enter(
  token: string,
  request: IncomingMessage,
  place: IdePlace,
  options: IdeOptions,
): Promise<string | null> {
  const { admission, cookieTtlS, isSecure } = options;
  try {
    const admitted = await admission.redeem(token, place.vmid);
    const cookie = await admission.cookieFor(admitted);
    return setOurs(cookie.token, cookieTtlS, { isSecure, prefix: place.prefix });
  } catch (error) {
    const cookies = oursOf(request, place, options);
    const known = await admission.admit(cookies, place.vmid).catch(() => null);
    if (!known) throw error;
    return renewed(known, place, options);
  }
}

async function upgrade(
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  options: IdeOptions,
): Promise<void> {
  const { isSecure, logger } = options;
  const place = requirePlace(request, options);
  if (request.method !== 'GET' || request.headers.upgrade?.toLowerCase() !== 'websocket') {
    throw new InvalidInputError('an IDE upgrades to WebSockets only');
  }
  requireSameOrigin(request, { isSecure, isUpgrade: true });
  const { path } = takeTokens(place.path);
  const admitted = await options.admission.admit(oursOf(request, place, options), place.vmid);
  const target = `${hostOf(devAddressOf(admitted.entry))}:${options.port}`;
  const cookie = await renewed(admitted, place, options);
  if (socket.destroyed) return;
  const leave = options.exchanges.enter({ ...exchangeOf(admitted), end: () => socket.destroy() });
  socket.once('close', leave);
  const writtenBefore = socket.bytesWritten;
  const passage: Passage = {
    ...{ place, target, cookie, host: request.headers.host ?? '' },
    onFailure(error) {
      if (socket.bytesWritten > writtenBefore) return;
      report(error, request, logger);
      const problem = toProblem(error, 'about:blank');
      refuseUpgrade(socket, problem.status, JSON.stringify(problem));
    },
  };
  request.headers = headersToContainer(request.headers, { isSecure, isUpgrade: true });
  request.url = path.startsWith('/') ? path : `/${path}`;
  options.proxy.passUpgrade(request, socket, head, passage);
}

function requirePlace(request: IncomingMessage, { places }: IdeOptions): IdePlace {
  const place = places.find(request);
  if (place !== null && place !== 'nowhere') return place;
  throw new NotFoundError('there is no IDE here');
}

const oursOf = (
  { headers }: IncomingMessage,
  { prefix }: IdePlace,
  { isSecure }: IdeOptions,
): readonly string[] => readOurs(headers.cookie, { isSecure, prefix });

async function renewed(
  admitted: Admitted,
  { prefix }: IdePlace,
  { admission, cookieTtlS, isSecure }: IdeOptions,
): Promise<string | null> {
  const cookie = await admission.renew(admitted);
  return cookie && setOurs(cookie.token, cookieTtlS, { isSecure, prefix });
}

const exchangeOf = ({ principal, entry }: Admitted) => ({
  ...{ principal, vmid: entry.vmid, instanceId: entry.id },
});

/** Somebody opens it. Whatever else fetches a link, or fetches it ahead, does not use it up. */
const isNavigation = ({ method, headers }: IncomingMessage): boolean =>
  method === 'GET' &&
  (headers['sec-fetch-mode'] ?? 'navigate') === 'navigate' &&
  headers['sec-purpose'] === undefined &&
  headers['purpose'] === undefined;

function redirect(response: ServerResponse, location: string, cookie: string | null): void {
  if (response.destroyed) return;
  response.writeHead(303, {
    Location: location,
    'Cache-Control': 'no-store',
    'Referrer-Policy': 'no-referrer',
    'Content-Length': 0,
    ...(cookie !== null && { 'Set-Cookie': cookie }),
  });
  response.end();
}

/** Anybody can be refused, and a container can fail as often as it likes: only bugs are loud. */
function report(error: unknown, request: IncomingMessage, logger: Logger): void {
  const { status, error: code, reason } = toProblem(error, 'about:blank');
  const fields = { method: request.method, path: pathOf(request), status, code, reason };
  if (code === 'internal_error') logger.error({ err: error, ...fields }, 'an IDE failed');
  else logger.debug(fields, 'not passed on to an IDE');
}

const hostOf = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);

function asSocket(socket: Duplex): Socket {
  if (socket instanceof Socket) return socket;
  throw new Error('an upgrade came on something that is no socket');
}
