import { z } from 'zod';

import type { ConsoleTickets } from '../../storage/console-tickets.ts';
import type { FindEntry } from '../../view/entry.ts';
import { hashToken } from '../auth/opaque-token.ts';
import type { SendCommand } from '../console/commands.ts';
import { commandId, commandText } from '../console/frames.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { requireEntry, vmidParam } from './servers.ts';

export interface ConsoleDependencies {
  readonly find: FindEntry;
  readonly sendCommand: SendCommand;
  readonly tickets: Pick<ConsoleTickets, 'keep'>;
  readonly randomToken: () => string;
}

const TICKET_TTL_S = 30;

/** What of the console of a game goes by HTTP; the rest is docs/console.md. */
export function consoleEndpoints(dependencies: ConsoleDependencies): readonly AnyEndpoint[] {
  const { find, sendCommand, tickets, randomToken } = dependencies;
  const base = {
    tag: 'game',
    method: 'post',
    params: z.object({ id: vmidParam }),
    query: nothing,
  } as const;
  return [
    endpoint({
      ...base,
      operationId: 'sendCommand',
      summary: "Type a line into the game's console",
      path: '/api/servers/:id/console/command',
      body: z.object({ command: commandText, id: commandId.optional() }),
      replies: { 202: z.object({ ok: z.literal(true) }) },
      problems: [
        'invalid_input',
        'unauthenticated',
        'not_found',
        'refused',
        'host_not_running',
        'agent_refused',
        'limit_exceeded',
        'upstream_failed',
      ],
      async handle({ params: { id: vmid }, body: { command: text, id }, principal, signal }) {
        await sendCommand({ vmid, principal, text, id, signal });
        return { status: 202, body: { ok: true } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'createConsoleTicket',
      summary: 'A ticket that opens the console once, for browsers, which set no headers there',
      path: '/api/servers/:id/console/ticket',
      body: nothing,
      replies: {
        201: z.object({
          ticket: z.string().describe('For `GET /api/servers/:id/console?ticket=` (WebSocket)'),
          expiresIn: z.int().describe('Seconds'),
        }),
      },
      problems: ['unauthenticated', 'not_found', 'unavailable'],
      async handle({ params: { id: vmid }, principal }) {
        await requireEntry(find, vmid, principal);
        const ticket = randomToken();
        await tickets.keep(hashToken(ticket), { vmid, ...principal }, TICKET_TTL_S);
        const headers = { 'Cache-Control': 'no-store' };
        return { status: 201, headers, body: { ticket, expiresIn: TICKET_TTL_S } };
      },
    }),
  ];
}
