import type { IncomingMessage } from 'node:http';

import { WebSocketServer } from 'ws';
import { z } from 'zod';

import { ControlPlaneError, InvalidInputError } from '../../errors.ts';
import type { ConsoleTickets } from '../../storage/console-tickets.ts';
import type { Roles } from '../../storage/credentials.ts';
import type { FindEntry } from '../../view/entry.ts';
import { hashToken } from '../auth/opaque-token.ts';
import { type Authenticate, type Principal, requireScope, SCOPES } from '../auth/principal.ts';
import { refuseGame } from '../refusal.ts';
import { requireEntry, vmidParam } from '../routes/servers.ts';
import { pathOf, type UpgradeTaker } from '../upgrades.ts';
import { PROTOCOL } from './frames.ts';
import type { ConsoleHub } from './hub.ts';

export interface ConsoleTakerOptions {
  readonly hub: ConsoleHub;
  readonly authenticate: Authenticate;
  readonly tickets: Pick<ConsoleTickets, 'take'>;
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  readonly find: FindEntry;
  /** Of browsers; that of the address itself may always. */
  readonly corsOrigins: readonly string[];
  readonly commandBytesMax: number;
  readonly now: () => number;
}

const PATH = /^\/api\/servers\/([^/]+)\/console$/;
/** Names by which others pass tokens in addresses, where every proxy writes them down. */
const TOKEN_NAMES = ['token', 'access_token', 'accessToken', 'authorization', 'jwt'] as const;

const query = z.object({
  id: vmidParam,
  from: z.coerce.number().int().nonnegative().optional(),
  epoch: z
    .string()
    .regex(/^[\w-]{1,64}$/)
    .optional(),
  ticket: z.string().max(100).optional(),
});

/** Opens consoles: GET /api/servers/:id/console, as docs/console.md has it. */
export function createConsoleTaker(options: ConsoleTakerOptions): UpgradeTaker {
  const { hub, find, corsOrigins, commandBytesMax } = options;
  const sockets = new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false },
    maxPayload: commandBytesMax,
    handleProtocols: (offered) => (offered.has(PROTOCOL) ? PROTOCOL : false),
  });
  return {
    claims: (request) => PATH.test(pathOf(request)),
    async take(request, socket, head) {
      requireOrigin(request, corsOrigins);
      const { id, from, epoch = null, ticket } = readQuery(request);
      const principal = await admit(request, { id, ticket }, options);
      requireScope(principal, 'read');
      const entry = await requireEntry(find, id, principal);
      if (entry.state.context.ctype !== 'game') {
        throw refuseGame('not_a_game', `container ${id} is no game server`);
      }
      const resumption = from === undefined ? null : { from, epoch };
      sockets.handleUpgrade(request, socket, head, (opened) => {
        const isPlain = opened.protocol !== PROTOCOL;
        hub.open({ socket: opened, entry, principal, isPlain, resumption });
      });
    },
  };
}

/** A page of somebody else's must not look with what its visitor's browser has. */
function requireOrigin(
  { headers: { origin, host } }: IncomingMessage,
  origins: readonly string[],
): void {
  if (origin === undefined || origins.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new ControlPlaneError(
    'forbidden',
    'this origin is not among those that may (CORS_ORIGINS)',
  );
}

function readQuery(request: IncomingMessage) {
  const { searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const found = TOKEN_NAMES.find((name) => searchParams.has(name));
  if (found !== undefined) {
    throw new InvalidInputError(
      `${found}: an access token does not belong into an address, which is written down on its ` +
        'way: send it as Authorization, or a ticket of POST …/console/ticket',
    );
  }
  const [, id] = PATH.exec(pathOf(request)) ?? [];
  const parsed = query.safeParse({ ...Object.fromEntries(searchParams), id });
  if (parsed.success) return parsed.data;
  const said = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new InvalidInputError(said.join('; '));
}

async function admit(
  { headers: { authorization } }: IncomingMessage,
  { id, ticket }: { readonly id: number; readonly ticket: string | undefined },
  options: ConsoleTakerOptions,
): Promise<Principal> {
  if (ticket === undefined) return options.authenticate(authorization);
  const { tickets, findRoles, now } = options;
  const ticketed = await tickets.take(hashToken(ticket));
  if (ticketed?.vmid !== id) throw unticketed();
  const { userId, role, credentialId, scopes, expiresAt } = ticketed;
  const at = now();
  const roles = await findRoles([credentialId], new Date(at));
  const hasEnded = expiresAt !== undefined && expiresAt <= at;
  if (hasEnded || roles.get(credentialId) !== role) throw unticketed();
  return {
    ...{ userId, role, credentialId },
    ...(expiresAt !== undefined && { expiresAt }),
    scopes: scopes && SCOPES.filter((scope) => scopes.includes(scope)),
  };
}

const unticketed = () =>
  new ControlPlaneError('unauthenticated', 'the ticket is not of this console, was used or is old');
