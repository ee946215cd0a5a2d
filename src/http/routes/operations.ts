import { z } from 'zod';

import { NotFoundError } from '../../errors.ts';
import type { OperationRecord } from '../../machines/instance/operations.ts';
import type { Operations } from '../../storage/operations.ts';
import type { FindEntry } from '../../view/entry.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { operationRecordView, viewRecord, withStep } from '../operation-view.ts';
import type { Waiting } from '../wait.ts';
import { requireEntry, vmidParam } from './servers.ts';

/** Waits for the end of an operation, and answers what is known of it then. */
export type AwaitOperation = (
  instanceId: string,
  operation: OperationRecord,
  how: { readonly waitS: number; readonly signal: AbortSignal },
) => Promise<OperationRecord>;

export function createAwaitOperation({
  operations,
  waiting,
}: {
  readonly operations: Pick<Operations, 'find'>;
  readonly waiting: Waiting;
}): AwaitOperation {
  return async (instanceId, operation, how) => {
    let latest = operation;
    const isSettled = async () => {
      latest = (await operations.find(instanceId, operation.id)) ?? latest;
      return latest.state !== 'running';
    };
    if (latest.state === 'running') await waiting.until(instanceId, isSettled, how);
    return latest;
  };
}

export function operationEndpoints({
  find,
  operations,
  awaitOperation,
}: {
  readonly find: FindEntry;
  readonly operations: Operations;
  readonly awaitOperation: AwaitOperation;
}): readonly AnyEndpoint[] {
  const base = { tag: 'operations', method: 'get', body: nothing } as const;
  return [
    endpoint({
      ...base,
      operationId: 'listOperations',
      summary: 'What was done to a server and for whom, the latest first',
      path: '/api/servers/:id/operations',
      params: z.object({ id: vmidParam }),
      query: z.object({
        limit: z.coerce.number().int().min(1).max(200).default(50),
        cursor: z.string().optional().describe('`nextCursor` of the page before'),
      }),
      replies: {
        200: z.object({
          operations: z.array(operationRecordView),
          nextCursor: z.string().nullable().describe('null: the last page'),
        }),
      },
      problems: ['invalid_input', 'unauthenticated', 'not_found'],
      async handle({ params: { id: vmid }, query: { limit, cursor }, principal }) {
        const { id, state } = await requireEntry(find, vmid, principal);
        const records = await operations.list(id, { limit, after: cursor });
        const shown = records.map((record) => viewRecord(withStep(record, state)));
        const nextCursor = shown.length === limit ? (shown.at(-1)?.id ?? null) : null;
        return { status: 200, body: { operations: shown, nextCursor } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'getOperation',
      summary: 'One operation; `Prefer: wait=N` waits for its end',
      path: '/api/servers/:id/operations/:opId',
      params: z.object({ id: vmidParam, opId: z.string().max(100) }),
      query: nothing,
      reads: ['Prefer'],
      replies: { 200: z.object({ operation: operationRecordView }) },
      problems: ['unauthenticated', 'not_found'],
      async handle({ params: { id: vmid, opId }, principal, headers: { waitS }, signal }) {
        const { id, state } = await requireEntry(find, vmid, principal);
        const found = await operations.find(id, opId);
        if (!found) throw new NotFoundError(`server ${vmid} has no operation ${opId}`);
        const latest = await awaitOperation(id, found, { waitS, signal });
        return { status: 200, body: { operation: viewRecord(withStep(latest, state)) } };
      },
    }),
  ];
}
