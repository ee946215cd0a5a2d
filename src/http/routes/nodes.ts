import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { type NodesView, nodesView } from '../nodes-view.ts';
import { requireAdmin } from './reconcile.ts';

/** `read`: asks neither Proxmox nor any other process, and answers also when Redis does not. */
export function nodeEndpoints(read: () => Promise<NodesView>): readonly AnyEndpoint[] {
  return [
    endpoint({
      tag: 'admin',
      operationId: 'getNodes',
      summary: 'The nodes of Proxmox and the processes of this service, as they were last seen',
      method: 'get',
      path: '/api/admin/nodes',
      params: nothing,
      query: nothing,
      body: nothing,
      replies: { 200: nodesView },
      problems: ['unauthenticated', 'forbidden'],
      async handle({ principal }) {
        requireAdmin(principal);
        return { status: 200, body: await read() };
      },
    }),
  ];
}
