import { z } from 'zod';

import type { InstanceState } from '../../machines/instance/status.ts';
import type { ListedOperation, ListOperations } from '../../storage/operation-list.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { operationRecordView, viewRecord, withStep } from '../operation-view.ts';
import { requireAdmin } from './reconcile.ts';
import { vmidParam } from './servers.ts';

export interface AllOperationsDependencies {
  readonly list: ListOperations;
  /** What this node knows of an instance that lives. */
  readonly stateOf: (vmid: number, instanceId: string) => InstanceState | undefined;
}

const listedView = operationRecordView
  .extend({
    vmid: z.int(),
    instanceId: z.string(),
    hostname: z.string().nullable().describe('null: the instance does not live any more'),
  })
  .meta({ id: 'ListedOperation' });

/** The two parts of the key, as no id has a slash. */
const cursorParam = z
  .string()
  .regex(/^[^/\p{Cc}]{1,100}\/[^/\p{Cc}]{1,100}$/u, 'expected `nextCursor` of a page')
  .transform((text) => text.split('/') as [string, string]);

const { kind, state } = operationRecordView.shape;

/** What was done to all servers, for administrators. */
export function allOperationsEndpoints({
  list,
  stateOf,
}: AllOperationsDependencies): readonly AnyEndpoint[] {
  function view({ instanceId, vmid, record }: ListedOperation): z.input<typeof listedView> {
    const known = stateOf(vmid, instanceId);
    return {
      ...viewRecord(known ? withStep(record, known) : record),
      ...{ vmid, instanceId, hostname: known?.context.hostname ?? null },
    };
  }

  return [
    endpoint({
      tag: 'admin',
      operationId: 'listAllOperations',
      summary: 'What was done to all servers and for whom, the latest first',
      method: 'get',
      path: '/api/admin/operations',
      params: nothing,
      query: z.object({
        limit: z.coerce.number().int().min(1).max(200).default(50),
        cursor: cursorParam.optional().describe('`nextCursor` of the page before'),
        state: state.optional(),
        kind: kind.optional(),
        vmid: vmidParam.optional(),
      }),
      body: nothing,
      replies: {
        200: z.object({
          operations: z.array(listedView),
          nextCursor: z.string().nullable().describe('null: the last page'),
        }),
      },
      problems: ['invalid_input', 'unauthenticated', 'forbidden'],
      async handle({ principal, query: { limit, cursor, ...filter } }) {
        requireAdmin(principal);
        const after = cursor && { instanceId: cursor[0], id: cursor[1] };
        const found = await list(filter, { limit, after });
        const last = found.length === limit ? found.at(-1) : undefined;
        const nextCursor = last ? `${last.instanceId}/${last.record.id}` : null;
        return { status: 200, body: { operations: found.map(view), nextCursor } };
      },
    }),
  ];
}
