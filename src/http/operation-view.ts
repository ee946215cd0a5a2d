import { z } from 'zod';

import type { OperationRecord } from '../machines/instance/operations.ts';
import { describeStatus, type InstanceState } from '../machines/instance/status.ts';

/** What did not work, and at which step. */
export const failedStep = z.object({
  ...{ step: z.string(), code: z.string(), message: z.string() },
});

const date = z.iso.datetime();

export const operationRecordView = z
  .object({
    id: z.string(),
    kind: z.enum([
      ...(['create', 'retry', 'delete', 'start', 'stop', 'restart'] as const),
      ...(['publish', 'unpublish'] as const),
      ...(['backup', 'restore', 'verify', 'backup_deletion'] as const),
    ]),
    state: z.enum(['running', 'succeeded', 'failed', 'superseded']),
    step: z.string().nullable().describe('What it is doing just now, or did last'),
    requestedBy: z.string(),
    acceptedAt: date,
    startedAt: date.nullable().describe('When work on it began'),
    finishedAt: date.nullable(),
    deadline: date.nullable().describe('It ends until then, one way or the other'),
    upid: z.string().nullable().describe('The latest Proxmox task that worked on it'),
    error: failedStep.nullable().describe('Why it failed'),
    backupId: z
      .string()
      .nullable()
      .optional()
      .describe('Of one that is about a backup; null: it is still being made'),
  })
  .meta({ id: 'OperationRecord' });

/** Without who asked for it: that is our token at Proxmox, which is nobody's business. */
export const withoutUser = (upid: string): string => upid.replace(/[^:]*:$/, ':');

const toDate = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

export function viewRecord(record: OperationRecord): z.input<typeof operationRecordView> {
  return {
    ...record,
    acceptedAt: new Date(record.acceptedAt).toISOString(),
    startedAt: toDate(record.startedAt),
    finishedAt: toDate(record.finishedAt),
    deadline: toDate(record.deadline),
    upid: record.upid && withoutUser(record.upid),
  };
}

/** Of what is going on, the state knows the step; provisioning does not write each of them down. */
export function withStep(record: OperationRecord, state: InstanceState): OperationRecord {
  const { operation } = describeStatus(state);
  return record.id === operation.id ? { ...record, step: operation.step } : record;
}

export const operationUrlOf = (vmid: number, id: string): string =>
  `/api/servers/${vmid}/operations/${id}`;

export const hostStatusUrlOf = (vmid: number): string => `/api/servers/${vmid}/host/status`;
