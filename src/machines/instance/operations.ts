import type { EdgeOperation } from './edge-types.ts';
import type { MaintenanceOperation } from './maintenance-types.ts';
import type { Failure } from './terms.ts';
import type { HostOperation, InstanceContext, Operation } from './types.ts';

/** An operation of any kind, as it is kept and shown. Times are Unix ms. */
export interface OperationRecord {
  readonly id: string;
  readonly kind:
    | Operation['kind']
    | HostOperation['kind']
    | EdgeOperation['kind']
    | MaintenanceOperation['kind'];
  readonly state: Operation['state'];
  readonly requestedBy: string;
  readonly acceptedAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly deadline: number | null;
  readonly upid: string | null;
  readonly step: string | null;
  readonly error: Failure | null;
  /** Of one that is about a backup: which, once it is known. */
  readonly backupId?: string | null;
}

/** Provisioning's own: its steps have deadlines each, and the region says which one it is at. */
const recordOf = (operation: Operation, failure: Failure | null): OperationRecord => ({
  ...operation,
  ...withoutTask(operation),
  error: operation.state === 'failed' ? failure : null,
});

const withoutTask = ({ acceptedAt }: Pick<Operation, 'acceptedAt'>) =>
  ({ startedAt: acceptedAt, deadline: null, upid: null, step: null }) as const;

/** What a step begins, moves or ends. A wish that takes another one's place ends that one. */
export function operationsOf(
  before: InstanceContext | null,
  after: InstanceContext,
): readonly OperationRecord[] {
  const { operation, hostOperation, failure } = after;
  const records: OperationRecord[] = [];
  const replaced = before?.operation;
  if (replaced && replaced.id !== operation.id && replaced.state === 'running') {
    const end = { state: 'superseded', finishedAt: operation.acceptedAt } as const;
    records.push(recordOf({ ...replaced, ...end }, null));
  }
  if (replaced !== operation) records.push(recordOf(operation, failure));
  const gone = before?.hostOperation;
  if (gone && gone.id !== hostOperation?.id && gone.state === 'running') {
    // Only one that has succeeded is followed by the next within its last step: a deletion wants
    // the container off as soon as it is on. Whatever fails leads to a look first.
    const end = { state: 'succeeded', finishedAt: hostOperation?.acceptedAt ?? null } as const;
    records.push({ ...gone, ...end });
  }
  if (hostOperation && before?.hostOperation !== hostOperation) records.push(hostOperation);
  return [...records, ...edgeRecords(before, after), ...maintenanceRecords(before, after)];
}

function edgeRecords(before: InstanceContext | null, { edgeOperation }: InstanceContext) {
  const replaced = before?.edgeOperation;
  const records: EdgeOperation[] = [];
  if (replaced && replaced.id !== edgeOperation?.id && replaced.state === 'running') {
    const finishedAt = edgeOperation?.acceptedAt ?? null;
    records.push({ ...replaced, state: 'superseded', finishedAt });
  }
  if (edgeOperation && replaced !== edgeOperation) records.push(edgeOperation);
  return records.map((one) => ({ ...one, ...withoutTask(one) }));
}

/** None takes another one's place: the region takes the next one when the last has ended. */
function maintenanceRecords(
  before: InstanceContext | null,
  { maintenance: { operation } }: InstanceContext,
): OperationRecord[] {
  if (!operation || before?.maintenance.operation === operation) return [];
  return [{ ...withoutTask(operation), ...operation, deadline: null }];
}
