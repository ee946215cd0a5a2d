import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';

import { ControlPlaneError, InvalidInputError } from '../../errors.ts';
import type { Authenticate } from '../auth/principal.ts';
import { requireScope } from '../auth/principal.ts';
import { isNeighbour } from '../neighbours.ts';
import { requireAdmin } from '../routes/reconcile.ts';
import { pathOf, type UpgradeTaker } from '../upgrades.ts';
import type { Watched, Watching } from './watch.ts';

export const INSPECT_PATH = '/api/admin/inspect';
const VMIDS_MAX = 50;
/** As long as it may take until a sign-in that was ended does not count any more. */
const RECHECK_MS = 5_000;
const PING_MS = 30_000;
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
  /** All instances at once may be watched, too. */
  readonly isOpenToAll: boolean;
  /** Also from other machines. */
  readonly isRemote: boolean;
  readonly closing: AbortSignal;
  readonly recheckMs?: number;
}

/** What the Stately inspector wants to hear of watched instances, for administrators. */
export function createInspectUpgrade(options: InspectOptions): UpgradeTaker {
  const { watching, authenticate, closing, recheckMs = RECHECK_MS } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1_024 });

  async function admit({ headers: { authorization } }: IncomingMessage): Promise<void> {
    const principal = await authenticate(authorization);
    requireScope(principal, 'read');
    requireAdmin(principal);
  }

  return {
    claims: (request) => pathOf(request) === INSPECT_PATH,
    async take(request: IncomingMessage, socket: Duplex, head: Buffer) {
      if (!options.isRemote && !isNeighbour(request)) {
        const message =
          'INSPECT_REMOTE is not set, so instances are watched from this machine only';
        throw new ControlPlaneError('forbidden', message);
      }
      await admit(request);
      const watched = readWatched(request, options.isOpenToAll);
      sockets.handleUpgrade(request, socket, head, (client) => {
        const watch = watching.watch(watched, (message) => sendTo(client, message));
        const rechecking = setInterval(() => {
          admit(request).catch(() => client.close(REVOKED, 'sign in again'));
        }, recheckMs);
        const pinging = setInterval(() => client.ping(), PING_MS);
        const leave = () => client.close(GOING_AWAY, 'this node shuts down');
        closing.addEventListener('abort', leave);
        client.on('error', () => client.terminate());
        client.on('close', () => {
          for (const timer of [rechecking, pinging]) clearInterval(timer);
          closing.removeEventListener('abort', leave);
          watch[Symbol.dispose]();
        });
      });
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
