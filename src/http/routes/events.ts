import { z } from 'zod';

import { ControlPlaneError, InvalidInputError, NotFoundError } from '../../errors.ts';
import type { Instances } from '../../storage/instances.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { JournalReader } from '../../view/journal.ts';
import { maySee, type Principal } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing, type Reply } from '../endpoint.ts';
import { createEventClient, type Scope } from '../event-client.ts';
import type { EventHub, EventLimits } from '../event-hub.ts';
import { eventData } from '../event-texts.ts';
import { ownerOf } from '../server-list.ts';
import { vmidParam } from './servers.ts';

export interface EventDependencies {
  readonly hub: EventHub;
  readonly limits: EventLimits;
  readonly journal: JournalReader;
  readonly find: FindEntry;
  readonly instances: Pick<Instances, 'listArchived'>;
}

const seq = z.coerce.number().int().nonnegative();

const query = z.object({
  lastEventId: seq
    .optional()
    .describe('As the header `Last-Event-ID`, for whoever cannot set a header'),
});

/** Proxies must neither keep nor collect what is written. */
const HEADERS = { 'Cache-Control': 'no-cache, no-transform', 'X-Accel-Buffering': 'no' };
/** Said to clients that are cut off: all of them at once would be many. */
const RETRY_MS = { min: 500, spread: 1_500 };

const common = {
  tag: 'servers',
  method: 'get',
  query,
  body: nothing,
  reads: ['Last-Event-ID'],
  contentType: 'text/event-stream',
  replies: { 200: eventData },
} as const;

export function eventEndpoints(dependencies: EventDependencies): readonly AnyEndpoint[] {
  const { find, instances } = dependencies;

  /** Somebody who comes back may have missed just the end of it. */
  async function requireVisible(vmid: number, principal: Principal, isBack: boolean) {
    const entry = await find(vmid);
    if (entry && maySee(principal, entry.customerId)) return;
    const former = isBack ? await instances.listArchived(vmid) : [];
    if (former.some(({ customerId }) => maySee(principal, customerId))) return;
    throw new NotFoundError(`there is no container ${vmid}`);
  }

  return [
    endpoint({
      ...common,
      operationId: 'watchServers',
      summary: 'My servers, and then every change of them; for an administrator, all',
      path: '/api/servers/events',
      params: nothing,
      problems: ['invalid_input', 'unauthenticated', 'stale_cursor'],
      async handle({ query, headers, principal }) {
        const last = readLast(query.lastEventId, headers.lastEventId);
        return open({ customerId: ownerOf(principal), vmid: null }, last, principal, dependencies);
      },
    }),
    endpoint({
      ...common,
      operationId: 'watchServer',
      summary: 'One server, and then every change of it',
      path: '/api/servers/:id/events',
      params: z.object({ id: vmidParam }),
      problems: ['invalid_input', 'unauthenticated', 'not_found', 'stale_cursor'],
      async handle({ params: { id: vmid }, query, headers, principal }) {
        const last = readLast(query.lastEventId, headers.lastEventId);
        await requireVisible(vmid, principal, last !== null);
        return open({ customerId: ownerOf(principal), vmid }, last, principal, dependencies);
      },
    }),
  ];
}

/** The header is the later word: a browser sends it when it comes back to the same address. */
function readLast(fromQuery: number | undefined, header: string | null): number | null {
  if (header === null || header === '') return fromQuery ?? null;
  const parsed = seq.safeParse(header);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError('Last-Event-ID is not the id of an event');
}

async function open(
  scope: Scope,
  last: number | null,
  principal: Principal,
  { hub, limits, journal }: EventDependencies,
): Promise<Reply> {
  if (last !== null) await requireResumable(last, hub, limits, journal);
  const { bufferMax } = limits;
  return {
    status: 200,
    headers: HEADERS,
    stream(response) {
      const cursor = last ?? hub.seq();
      const client = createEventClient({ scope, principal, cursor, response, bufferMax });
      client.write(`retry: ${RETRY_MS.min + Math.floor(Math.random() * RETRY_MS.spread)}\n\n`);
      // Whatever goes wrong on the way, the client comes back with the last id it has got.
      hub.serve(client, { isNew: last === null }).catch(client.end);
    },
  };
}

/** @throws ControlPlaneError `stale_cursor` if the client must begin anew */
async function requireResumable(
  last: number,
  hub: EventHub,
  { behindMax }: EventLimits,
  journal: JournalReader,
): Promise<void> {
  // What this node has not followed yet, another one may have written already.
  const head = last > hub.seq() ? await journal.head() : hub.seq();
  if (last > head) throw stale(`no event ${last} has happened yet`);
  if (head - last > behindMax) throw stale(`more than ${behindMax} events have happened since`);
  if (last === head) return;
  const [next] = await journal.readAfter(last, 1);
  if (next && next.seq !== last + 1) throw stale(`what came after event ${last} is not kept`);
}

const stale = (why: string) =>
  new ControlPlaneError('stale_cursor', `${why}: ask again without Last-Event-ID`);
