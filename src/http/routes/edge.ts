import { z } from 'zod';

import type { FindEntry } from '../../view/entry.ts';
import type { AskOperation, OperationRequest } from '../ask-operation.ts';
import type { EdgeHealth } from '../edge-health-view.ts';
import { edgeHealthView } from '../edge-health-view.ts';
import type { PlanEdge } from '../edge-plan.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { operatedView, replyOperated } from '../operation-reply.ts';
import { toRefusal } from '../refusal.ts';
import { statusUrlOf } from '../server-view.ts';
import type { AwaitOperation } from './operations.ts';
import { requireAdmin } from './reconcile.ts';
import { requireEntry, vmidParam } from './servers.ts';

export interface EdgeDependencies {
  readonly find: FindEntry;
  readonly ask: AskOperation;
  readonly awaitOperation: AwaitOperation;
  readonly planEdge: PlanEdge;
  readonly health: () => Promise<EdgeHealth>;
}

type EdgeVerb = 'publish' | 'unpublish';

const TAG = 'edge';

function changeEndpoint(verb: EdgeVerb, summary: string, dependencies: EdgeDependencies) {
  const { find, ask, awaitOperation, planEdge } = dependencies;
  return endpoint({
    operationId: `${verb}Instance`,
    summary,
    tag: TAG,
    method: 'post',
    path: `/api/edge/:vmid/${verb}`,
    params: z.object({ vmid: vmidParam }),
    query: nothing,
    body: nothing,
    reads: ['Idempotency-Key', 'Prefer'],
    replies: { 200: operatedView, 202: operatedView },
    problems: [
      ...(['unauthenticated', 'forbidden', 'not_found', 'refused'] as const),
      ...(['deletion_in_progress', 'idempotency_key_reused'] as const),
      ...(verb === 'publish' ? (['port_range_exhausted'] as const) : []),
    ],
    async handle({ params: { vmid }, principal, headers, signal }) {
      requireAdmin(principal);
      const { id, state } = await requireEntry(find, vmid, principal);
      const { idempotencyKey, waitS } = headers;
      const request: OperationRequest = {
        ...{ verb, instanceId: id },
        ...{ userId: principal.userId, idempotencyKey },
      };
      const operated = await ask(request, {
        toRefusal,
        ...(verb === 'publish' && {
          more: async () => ({ plan: await planEdge(id, state.context) }),
        }),
      });
      const place = { vmid, statusUrl: statusUrlOf(vmid) };
      if (operated.outcome === 'no_change') return replyOperated(place, operated);
      const operation = await awaitOperation(id, operated.operation, { waitS, signal });
      return replyOperated(place, { ...operated, operation });
    },
  });
}

/** What administrators do about the edge, and how its third parties are. */
export function edgeEndpoints(dependencies: EdgeDependencies): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'getEdgeHealth',
      summary: 'How the third parties of the edge were when they were last asked',
      tag: TAG,
      method: 'get',
      path: '/api/edge/health',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: edgeHealthView },
      problems: ['unauthenticated', 'forbidden', 'unavailable'],
      async handle({ principal }) {
        requireAdmin(principal);
        return { status: 200, body: await dependencies.health() };
      },
    }),
    changeEndpoint('publish', 'Publish an instance, by the configuration of today', dependencies),
    changeEndpoint('unpublish', 'Take an instance off everywhere', dependencies),
  ];
}
