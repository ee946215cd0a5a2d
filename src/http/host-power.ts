import { ConflictError } from '../errors.ts';
import type { InstanceContext } from '../machines/instance/types.ts';
import type { AskOperation, Operated, OperationRequest, Refused } from './ask-operation.ts';
import { hostStatusUrlOf, viewRecord } from './operation-view.ts';
import { toRefusal } from './refusal.ts';

export type PowerVerb = 'start' | 'stop' | 'restart';

export interface PowerRequest extends OperationRequest<PowerVerb> {
  readonly vmid: number;
}

/** With the operation that is in the way, and where to follow it. */
function toPowerRefusal(refused: Refused, vmid: number): ConflictError {
  const { hostOperation } = refused.snapshot.context as InstanceContext;
  const refusal = toRefusal(refused);
  if (refusal.code !== 'host_operation_in_progress' || !hostOperation) return refusal;
  return new ConflictError(refusal.message, {
    code: refusal.code,
    details: {
      ...refusal.details,
      operation: viewRecord(hostOperation),
      statusUrl: hostStatusUrlOf(vmid),
    },
  });
}

/** Asks the actor for power. Proxmox is not touched here: whoever performs the effect does that. */
export const createHostPower =
  (ask: AskOperation) =>
  (request: PowerRequest): Promise<Operated> =>
    ask(request, { toRefusal: (refused) => toPowerRefusal(refused, request.vmid) });
