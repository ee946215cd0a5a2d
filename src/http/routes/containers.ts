import { z } from 'zod';

import type { Instances } from '../../storage/instances.ts';
import { followUp } from '../accepted.ts';
import type { createContainerDeletion } from '../delete-container.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { operationView, statusUrlOf, viewOperation } from '../server-view.ts';
import type { Waiting } from '../wait.ts';
import { vmidParam } from './servers.ts';

const deletionView = z
  .object({
    ok: z.literal(true),
    vmid: z.number().int(),
    operation: operationView.nullable().describe('null: a reconciler removes what is left'),
    statusUrl: z.string(),
    result: z.enum(['deleted', 'owed', 'no_change']).optional(),
  })
  .meta({ id: 'Deletion' });

export function containerEndpoints({
  remove,
  instances,
  waiting,
}: {
  readonly remove: ReturnType<typeof createContainerDeletion>;
  readonly instances: Pick<Instances, 'findByVmid'>;
  readonly waiting: Waiting;
}): readonly AnyEndpoint[] {
  return [
    endpoint({
      operationId: 'deleteContainer',
      summary: 'Delete a container, or whatever is left of one',
      tag: 'containers',
      method: 'delete',
      path: '/api/containers/:vmid',
      params: z.object({ vmid: vmidParam }),
      query: z.object({
        force: z.stringbool().default(false).describe('Also if it is on; it is stopped first'),
      }),
      body: nothing,
      reads: ['Prefer'],
      replies: { 200: deletionView, 202: deletionView },
      problems: [
        'invalid_input',
        'unauthenticated',
        'not_found',
        'container_running',
        'conflict',
        'upstream_failed',
      ],
      async handle({ params: { vmid }, query: { force }, principal, headers, signal }) {
        const deletion = await remove(vmid, principal, force);
        const statusUrl = statusUrlOf(vmid);
        const common = { ok: true, vmid, statusUrl } as const;
        const later = followUp(vmid);
        if (deletion.outcome !== 'deleting') {
          return deletion.outcome === 'owed'
            ? { status: 202, headers: later, body: { ...common, operation: null, result: 'owed' } }
            : { status: 200, body: { ...common, operation: null, result: 'no_change' } };
        }
        const { instance } = deletion;
        const isGone = async () => (await instances.findByVmid(vmid))?.id !== instance.id;
        await waiting.until(instance.id, isGone, { waitS: headers.waitS, signal });
        const operation = viewOperation(instance);
        if (await isGone()) {
          const finishedAt = new Date().toISOString();
          const done = { ...operation, state: 'succeeded', step: null, finishedAt };
          return { status: 200, body: { ...common, operation: done, result: 'deleted' } };
        }
        return { status: 202, headers: later, body: { ...common, operation } };
      },
    }),
  ];
}
