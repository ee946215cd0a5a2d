import type { z } from 'zod';

import type { Instance } from '../storage/instances.ts';
import type { Reply } from './endpoint.ts';
import { type acceptedView, statusUrlOf, viewOperation } from './server-view.ts';

const RETRY_AFTER_S = 2;

/** Where to look, and when: for every answer whose work goes on. */
export const followUp = (vmid: number): Readonly<Record<string, string>> => ({
  Location: statusUrlOf(vmid),
  'Retry-After': String(RETRY_AFTER_S),
});

/** 202 while the operation runs, 200 once it has ended, however it ended. */
export function replyAccepted(
  instance: Instance,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const { vmid, state } = instance;
  const operation = viewOperation(instance);
  const body: z.input<typeof acceptedView> = {
    ok: operation.state !== 'failed',
    vmid,
    hostname: state.context.hostname,
    operation,
    statusUrl: statusUrlOf(vmid),
  };
  const status = operation.state === 'running' ? 202 : 200;
  return { status, headers: { ...followUp(vmid), ...headers }, body };
}
