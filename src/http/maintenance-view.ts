import { z } from 'zod';

import { type InstanceState, nameOf } from '../machines/instance/status.ts';
import { failedStep } from './operation-view.ts';

const date = z.iso.datetime();

export const maintenanceView = z
  .object({
    state: z.enum([
      ...(['idle', 'backingUp', 'verifying', 'deleting'] as const),
      ...(['halting', 'restoring', 'resuming', 'owing'] as const),
    ]),
    operation: z
      .object({
        id: z.string(),
        kind: z.enum(['backup', 'restore', 'verify', 'backup_deletion']),
        state: z.enum(['running', 'succeeded', 'failed', 'superseded']),
        step: z.string().describe('What it is doing just now, or did last'),
        backupId: z.string().nullable().describe('null: it is still being made'),
        requestedBy: z.string(),
        acceptedAt: date,
        finishedAt: date.nullable(),
        error: failedStep.nullable().describe('Why it failed'),
      })
      .nullable()
      .describe('The latest; it may have ended'),
  })
  .meta({ id: 'Maintenance', description: 'What is done to the backups of a game' });

const toDate = (ms: number) => new Date(ms).toISOString();

/** What is done to the backups of an instance, as clients see it. */
export function viewMaintenance({
  value,
  context,
}: InstanceState): z.input<typeof maintenanceView> {
  const { operation } = context.maintenance;
  return {
    state: nameOf(value['maintenance']) as z.input<typeof maintenanceView>['state'],
    operation: operation && {
      ...operation,
      acceptedAt: toDate(operation.acceptedAt),
      finishedAt: operation.finishedAt === null ? null : toDate(operation.finishedAt),
    },
  };
}
