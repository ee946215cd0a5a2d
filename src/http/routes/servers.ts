import { setImmediate } from 'node:timers/promises';

import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { Instance, Instances } from '../../storage/instances.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { Fleet, FleetEntry } from '../../view/fleet.ts';
import { replyAccepted } from '../accepted.ts';
import type { AskOperation } from '../ask-operation.ts';
import { maySee, type Principal } from '../auth/principal.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { assembledJson } from '../json.ts';
import { toRefusal } from '../refusal.ts';
import { listQuery, selectPage } from '../server-list.ts';
import type { ServerTexts } from '../server-texts.ts';
import { acceptedView, serverView, statusView, viewOperation } from '../server-view.ts';
import type { Waiting } from '../wait.ts';

export const vmidParam = z.coerce.number().int().min(100).max(999_999_999);

export interface ServerDependencies {
  readonly instances: Instances;
  readonly fleet: Fleet;
  readonly find: FindEntry;
  readonly texts: ServerTexts;
  readonly ask: AskOperation;
  readonly waiting: Waiting;
}

/** @throws NotFoundError also for somebody else's: whether it exists is not theirs to know. */
export async function requireInstance(
  instances: Pick<Instances, 'findByVmid'>,
  vmid: number,
  principal: Principal,
): Promise<Instance> {
  const instance = await instances.findByVmid(vmid);
  if (instance && maySee(principal, instance.state.context.customerId)) return instance;
  throw new NotFoundError(`there is no container ${vmid}`);
}

/** The same for reads, which are answered from memory. */
export async function requireEntry(
  find: FindEntry,
  vmid: number,
  principal: Principal,
): Promise<FleetEntry> {
  const entry = await find(vmid);
  if (entry && maySee(principal, entry.customerId)) return entry;
  throw new NotFoundError(`there is no container ${vmid}`);
}

export function serverEndpoints(dependencies: ServerDependencies): readonly AnyEndpoint[] {
  return [...readEndpoints(dependencies), retryEndpoint(dependencies)];
}

const RENDER_AT_ONCE = 200;
const params = z.object({ id: vmidParam });
const base = { tag: 'servers', body: nothing } as const;

/** A long list lets others take their turn: what nobody has read yet must be rendered first. */
async function renderList(entries: readonly FleetEntry[], texts: ServerTexts): Promise<string> {
  const parts: string[] = [];
  for (let from = 0; from < entries.length; from += RENDER_AT_ONCE) {
    if (from > 0) await setImmediate();
    parts.push(texts.servers(entries.slice(from, from + RENDER_AT_ONCE)));
  }
  return parts.join(',');
}

function readEndpoints({ fleet, find, texts }: ServerDependencies): readonly AnyEndpoint[] {
  return [
    endpoint({
      ...base,
      operationId: 'listServers',
      summary: 'My servers; for an administrator, all',
      method: 'get',
      path: '/api/servers',
      params: nothing,
      query: listQuery,
      replies: {
        200: z.object({
          servers: z.array(serverView),
          nextCursor: z
            .string()
            .nullable()
            .optional()
            .describe('With `limit`; null: the last page'),
        }),
      },
      problems: ['invalid_input', 'unauthenticated'],
      async handle({ query, principal }) {
        const { entries, nextCursor } = selectPage(
          { fleet, statusOf: texts.statusOf },
          principal,
          query,
        );
        const servers = await renderList(entries, texts);
        const next = nextCursor === undefined ? '' : `,"nextCursor":${JSON.stringify(nextCursor)}`;
        return { status: 200, json: assembledJson(`{"servers":[${servers}]${next}}`) };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getServer',
      summary: 'One server',
      method: 'get',
      path: '/api/servers/:id',
      params,
      query: nothing,
      replies: { 200: z.object({ server: serverView }) },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        const server = texts.server(await requireEntry(find, id, principal));
        return { status: 200, json: assembledJson(`{"server":${server}}`) };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getServerStatus',
      summary: 'What a server is doing, why, and what may be asked of it',
      method: 'get',
      path: '/api/servers/:id/status',
      params,
      query: nothing,
      replies: { 200: statusView },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id }, principal }) {
        return { status: 200, json: texts.status(await requireEntry(find, id, principal)) };
      },
    }),
  ];
}

function retryEndpoint({ instances, ask, waiting }: ServerDependencies): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: 'retryServer',
    summary: 'Try again what has failed',
    method: 'post',
    path: '/api/servers/:id/retry',
    params,
    query: nothing,
    reads: ['Idempotency-Key', 'Prefer'],
    replies: { 200: acceptedView, 202: acceptedView },
    problems: [
      ...(['unauthenticated', 'not_found', 'refused', 'deletion_in_progress'] as const),
      'idempotency_key_reused',
    ],
    async handle({ params: { id: vmid }, principal, headers, signal }) {
      const { id } = await requireInstance(instances, vmid, principal);
      const { userId } = principal;
      const { idempotencyKey } = headers;
      const { isReplay } = await ask(
        { verb: 'retry', instanceId: id, userId, idempotencyKey },
        { toRefusal },
      );
      const read = () => requireInstance(instances, vmid, principal);
      const isSettled = async () => viewOperation(await read()).state !== 'running';
      await waiting.until(id, isSettled, { waitS: headers.waitS, signal });
      return replyAccepted(await read(), isReplay ? { 'Idempotent-Replayed': 'true' } : {});
    },
  });
}
