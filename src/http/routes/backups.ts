import { z } from 'zod';

import type { ActorEvent } from '../../actors/address.ts';
import { ConflictError } from '../../errors.ts';
import type { InstanceContext } from '../../machines/instance/types.ts';
import type { Backups } from '../../storage/backups.ts';
import type { FindEntry } from '../../view/entry.ts';
import type { AskOperation, OperationVerb, Refused } from '../ask-operation.ts';
import type { createBackupListing } from '../backups/listing.ts';
import { backupsView, lockView, viewBackups } from '../backups/views.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { operatedView, replyOperated } from '../operation-reply.ts';
import { operationUrlOf } from '../operation-view.ts';
import { refuseGame, toRefusal } from '../refusal.ts';
import type { AwaitOperation } from './operations.ts';
import { requireEntry, vmidParam } from './servers.ts';

export interface BackupDependencies {
  readonly find: FindEntry;
  readonly list: ReturnType<typeof createBackupListing>;
  readonly known: Pick<Backups, 'list' | 'lock' | 'unlock'>;
  readonly ask: AskOperation;
  readonly awaitOperation: AwaitOperation;
}

export const BACKUPS_PATH = '/api/game/servers/:id/backups';

/** Of the agent's making. It becomes a part of a path, where a dot would lead elsewhere. */
const backupId = z
  .string()
  .min(1)
  .max(200)
  .regex(/^(?!\.{1,2}$)[^\p{Cc}/\\]+$/u, 'expected the id of a backup');
const params = z.object({ id: vmidParam });
const base = { tag: 'backups', params, query: nothing, body: nothing } as const;

/** With what is in the way, and where to follow it. */
function toBackupRefusal(refused: Refused, vmid: number): ConflictError {
  const refusal = toRefusal(refused);
  const { operation } = (refused.snapshot.context as InstanceContext).maintenance;
  if (refused.reason.code !== 'maintenance_in_progress' || !operation) return refusal;
  return new ConflictError(refusal.message, {
    code: refusal.code,
    details: { ...refusal.details, statusUrl: operationUrlOf(vmid, operation.id) },
  });
}

interface Order {
  readonly verb: OperationVerb;
  readonly vmid: number;
  readonly instanceId: string;
  readonly userId: string;
  readonly backupId?: string;
  readonly headers: { readonly idempotencyKey: string | null; readonly waitS: number };
  readonly signal: AbortSignal;
}

function createOrdering({ ask, awaitOperation }: BackupDependencies) {
  return async ({ verb, vmid, instanceId, userId, headers, signal, ...about }: Order) => {
    const { idempotencyKey, waitS } = headers;
    const request = { verb, instanceId, userId, idempotencyKey, subject: about.backupId ?? '' };
    const operated = await ask(request, {
      toRefusal: (refused) => toBackupRefusal(refused, vmid),
      more: async (): Promise<Omit<ActorEvent, 'type'>> => about,
    });
    const operation = await awaitOperation(instanceId, operated.operation, { waitS, signal });
    const statusUrl = operationUrlOf(vmid, operation.id);
    return replyOperated({ vmid, statusUrl }, { ...operated, operation });
  };
}

const order = {
  ...base,
  reads: ['Idempotency-Key', 'Prefer'],
  replies: { 200: operatedView, 202: operatedView },
  problems: [
    ...(['invalid_input', 'unauthenticated', 'not_found', 'refused'] as const),
    ...(['deletion_in_progress', 'host_operation_in_progress', 'host_not_running'] as const),
    'idempotency_key_reused',
  ],
} as const;

/** The backups of a game, which its agent makes and keeps: docs/backups.md. */
export const backupEndpoints = (dependencies: BackupDependencies): readonly AnyEndpoint[] => [
  listEndpoint(dependencies),
  ...orderEndpoints(dependencies),
  ...lockEndpoints(dependencies),
];

function listEndpoint({ find, list }: BackupDependencies): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: 'listBackups',
    summary: 'The backups of a game, as its agent has them',
    method: 'get',
    path: BACKUPS_PATH,
    replies: { 200: backupsView },
    problems: [
      ...(['unauthenticated', 'not_found', 'refused', 'host_not_running'] as const),
      ...(['backups_failed', 'upstream_failed'] as const),
    ],
    async handle({ params: { id }, principal, signal }) {
      const { listed, rows } = await list(await requireEntry(find, id, principal), signal);
      return { status: 200, body: viewBackups(listed, rows) };
    },
  });
}

function orderEndpoints(dependencies: BackupDependencies): readonly AnyEndpoint[] {
  const { find, known } = dependencies;
  const perform = createOrdering(dependencies);

  const aboutEndpoint = (verb: 'restore' | 'verify', summary: string) =>
    endpoint({
      ...order,
      operationId: `${verb}Backup`,
      summary,
      method: 'post',
      path: `${BACKUPS_PATH}/${verb}`,
      query: z.object({ id: backupId }),
      async handle({ params: { id: vmid }, query, principal, headers, signal }) {
        const { id: instanceId } = await requireEntry(find, vmid, principal);
        const who = { vmid, instanceId, userId: principal.userId };
        return perform({ verb, ...who, backupId: query.id, headers, signal });
      },
    });

  return [
    endpoint({
      ...order,
      operationId: 'createBackup',
      summary: 'Make a backup of the game, and compare it with its checksum',
      method: 'post',
      path: BACKUPS_PATH,
      async handle({ params: { id: vmid }, principal, headers, signal }) {
        const { id: instanceId } = await requireEntry(find, vmid, principal);
        const who = { vmid, instanceId, userId: principal.userId };
        return perform({ verb: 'backup', ...who, headers, signal });
      },
    }),
    aboutEndpoint('restore', 'Stop the game, restore a backup, and start the game if it ran'),
    aboutEndpoint('verify', 'Compare a backup with its checksum'),
    endpoint({
      ...order,
      operationId: 'deleteBackup',
      summary: 'Delete a backup, unless it is locked',
      method: 'delete',
      path: `${BACKUPS_PATH}/:backupId`,
      params: params.extend({ backupId }),
      async handle({ params: { id: vmid, backupId: id }, principal, headers, signal }) {
        const { id: instanceId } = await requireEntry(find, vmid, principal);
        const row = (await known.list(instanceId)).find((one) => one.backupId === id);
        if (row?.lockedAt) throw refuseGame('backup_locked', 'the backup is locked: unlock it');
        const who = { vmid, instanceId, userId: principal.userId };
        return perform({ verb: 'backup_deletion', ...who, backupId: id, headers, signal });
      },
    }),
  ];
}

function lockEndpoints({ find, known }: BackupDependencies): readonly AnyEndpoint[] {
  const lock = {
    ...base,
    path: `${BACKUPS_PATH}/:backupId/lock`,
    params: params.extend({ backupId }),
    replies: { 200: lockView },
    problems: ['invalid_input', 'unauthenticated', 'not_found', 'refused'],
  } as const;
  return [
    endpoint({
      ...lock,
      operationId: 'lockBackup',
      summary: 'Nobody can delete this backup, and its age and number do not matter',
      method: 'put',
      async handle({ params: { id: vmid, backupId: id }, principal }) {
        const { id: instanceId } = await requireEntry(find, vmid, principal);
        const rows = await known.list(instanceId);
        if (!rows.some((one) => one.backupId === id)) {
          throw refuseGame('backup_unknown', `nobody has listed a backup ${id} of server ${vmid}`);
        }
        if (!(await known.lock(instanceId, id, principal.userId))) {
          throw refuseGame('maintenance_in_progress', 'the backup is being deleted');
        }
        return { status: 200, body: { id, locked: true } };
      },
    }),
    endpoint({
      ...lock,
      operationId: 'unlockBackup',
      summary: 'The backup can be deleted again',
      method: 'delete',
      async handle({ params: { id: vmid, backupId: id }, principal }) {
        const { id: instanceId } = await requireEntry(find, vmid, principal);
        await known.unlock(instanceId, id);
        return { status: 200, body: { id, locked: false } };
      },
    }),
  ];
}
