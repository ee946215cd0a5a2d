import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';

import { ControlPlaneError, InvalidInputError } from '../../errors.ts';
import { type Authenticate, type Principal, requireScope } from '../auth/principal.ts';
import { isNeighbour } from '../neighbours.ts';
import { createPulse, type PulseOptions, type Staying } from '../pulse.ts';
import { requireAdmin } from '../routes/reconcile.ts';
import { pathOf, type UpgradeTaker } from '../upgrades.ts';
import type { Watched, Watching } from './watch.ts';

export const INSPECT_PATH = '/api/admin/inspect';
const VMIDS_MAX = 50;
const LIMITS = { heartbeatMs: 25_000, recheckMs: 4_000 };
/** Whoever does not read is sent away before what waits for him fills our memory. */
const BUFFER_MAX = 4 * 1024 * 1024;
/** Close codes: see docs/inspector.md. */
const REVOKED = 4403;
const TOO_SLOW = 4429;
const GOING_AWAY = 1001;

const vmids = z.array(z.coerce.number().int().positive()).max(VMIDS_MAX);

export interface InspectOptions {
  readonly watching: Watching;
  readonly authenticate: Authenticate;
  readonly findRoles: PulseOptions['findRoles'];
  /** All instances at once may be watched, too. */
  readonly isOpenToAll: boolean;
  /** Also from other machines. */
  readonly isRemote: boolean;
  readonly closing: AbortSignal;
  readonly now: () => number;
  readonly limits?: PulseOptions['limits'];
}

interface Watcher extends Staying {
  readonly socket: WebSocket;
}

/** What the Stately inspector wants to hear of watched instances, for administrators. */
export function createInspectUpgrade(options: InspectOptions): UpgradeTaker {
  const { watching, authenticate, findRoles, closing, now, limits = LIMITS } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1_024 });
  const clients = new Set<Watcher>();
  const beat = () => {
    for (const { socket } of clients) socket.ping();
  };
  const pulse = createPulse({ clients, limits, findRoles, beat, now });
  closing.addEventListener('abort', () => {
    pulse.stop();
    for (const { socket } of clients) socket.close(GOING_AWAY, 'this node shuts down');
  });

  function follow(socket: WebSocket, principal: Principal, watched: Watched): void {
    const watcher: Watcher = {
      ...{ socket, principal },
      end: () => socket.close(REVOKED, 'sign in again'),
    };
    clients.add(watcher);
    pulse.start();
    const watch = watching.watch(watched, (message) => sendTo(socket, message));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      watch[Symbol.dispose]();
      clients.delete(watcher);
      if (clients.size === 0) pulse.stop();
    });
  }

  return {
    claims: (request) => pathOf(request) === INSPECT_PATH,
    async take(request: IncomingMessage, socket: Duplex, head: Buffer) {
      if (!options.isRemote && !isNeighbour(request)) {
        const message =
          'INSPECT_REMOTE is not set, so instances are watched from this machine only';
        throw new ControlPlaneError('forbidden', message);
      }
      const principal = await authenticate(request.headers.authorization);
      requireScope(principal, 'read');
      requireAdmin(principal);
      const watched = readWatched(request, options.isOpenToAll);
      sockets.handleUpgrade(request, socket, head, (client) => follow(client, principal, watched));
    },
  };
}

function sendTo(client: WebSocket, message: string): void {
  if (client.readyState !== client.OPEN) return;
  if (client.bufferedAmount > BUFFER_MAX) client.close(TOO_SLOW, 'read faster');
  else client.send(message);
}

/** @throws InvalidInputError unless it says what to watch, where not all may be */
function readWatched({ url = '' }: IncomingMessage, isOpenToAll: boolean): Watched {
  const given = new URL(url, 'http://localhost').searchParams.getAll('vmid');
  if (given.length === 0 && isOpenToAll) return null;
  const parsed = vmids.min(1).safeParse(given);
  if (parsed.success) return new Set(parsed.data);
  const message = `expected 1 to ${VMIDS_MAX} VMIDs${isOpenToAll ? ', or none for all' : ''}`;
  throw new InvalidInputError(`query.vmid: ${message}`, {
    details: { errors: [{ field: 'query.vmid', message }] },
  });
}
