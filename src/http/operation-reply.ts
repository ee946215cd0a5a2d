import { z } from 'zod';

import type { Operated } from './ask-operation.ts';
import type { Reply } from './endpoint.ts';
import { operationRecordView, operationUrlOf, viewRecord } from './operation-view.ts';

const RETRY_AFTER_S = 2;

export const operatedView = z
  .object({
    ok: z.boolean().describe('false: the operation has ended, and failed'),
    operation: operationRecordView,
    statusUrl: z.string(),
    result: z.literal('no_change').optional(),
  })
  .meta({ id: 'Operated' });

/** 202 while it runs, 200 once it has ended, however it ended, or if there was nothing to do. */
export function replyOperated(
  { vmid, statusUrl }: { readonly vmid: number; readonly statusUrl: string },
  operated: Operated,
): Reply {
  const { operation } = operated;
  const ok = operation.state !== 'failed';
  const body = { ok, operation: viewRecord(operation), statusUrl };
  const replayed = operated.isReplay ? { 'Idempotent-Replayed': 'true' } : {};
  if (operated.outcome === 'no_change') {
    return { status: 200, headers: replayed, body: { ...body, result: 'no_change' } };
  }
  return {
    status: operation.state === 'running' ? 202 : 200,
    headers: {
      Location: operationUrlOf(vmid, operation.id),
      'Retry-After': String(RETRY_AFTER_S),
      ...replayed,
    },
    body,
  };
}
