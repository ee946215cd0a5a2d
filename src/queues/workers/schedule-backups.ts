import type { ActorSystem } from '../../actors/system.ts';
import { NotFoundError } from '../../errors.ts';
import type { BackupPolicies, BackupRun, DueBackup } from '../../storage/backup-policies.ts';
import { nextTime } from '../../storage/cron.ts';
import type { Operations } from '../../storage/operations.ts';
import type { Logger } from '../../telemetry/logger.ts';

const BATCH_MAX = 200;
/** A time that is older was missed: nobody was there, not even to say that it could not be. */
const MISFIRE_MS = 10 * 60_000;

export interface BackupScheduleOptions {
  readonly policies: Pick<BackupPolicies, 'listDue' | 'settle'>;
  readonly actors: Pick<ActorSystem, 'ask'>;
  readonly operations: Pick<Operations, 'find'>;
  readonly logger: Logger;
}

/**
 * Asks for the backups that are due. Each time has its own operation, so it is asked for once,
 * whoever dies in between; what is refused is skipped, with the reason.
 */
export function createBackupSchedule(options: BackupScheduleOptions) {
  const { policies, actors, operations, logger } = options;

  async function askFor(due: DueBackup): Promise<Omit<BackupRun, 'at' | 'dueAt'>> {
    const { instanceId, dueAt, now, misfire } = due;
    const isMissed = now.getTime() - dueAt.getTime() > MISFIRE_MS;
    const why = isMissed ? 'misfire' : null;
    if (isMissed && misfire === 'skip')
      return { outcome: 'missed', reason: why, operationId: null };
    const operationId = `op-at-${dueAt.getTime().toString(36)}`;
    const accepted = { outcome: 'accepted', reason: why, operationId } as const;
    const wish = { type: 'backup.requested', operationId, requestedBy: 'schedule' };
    const asked = await actors.ask({ kind: 'instance', id: instanceId }, wish, {
      eventId: operationId,
    });
    // Who is refused may have been the first one, too: it is its own backup that is being made.
    if (asked.outcome === 'accepted' || (await operations.find(instanceId, operationId))) {
      return accepted;
    }
    return { outcome: 'skipped', reason: asked.reason.code, operationId: null };
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    for (const due of await policies.listDue(BATCH_MAX)) {
      if (shutdown.aborted) return;
      const { instanceId, dueAt, now } = due;
      try {
        const run = await askFor(due);
        const nextDueAt = nextTime(due, Math.max(now.getTime(), dueAt.getTime()));
        await policies.settle(instanceId, { dueAt, nextDueAt, ...run });
      } catch (error) {
        // The instance is gone, and its policy with it.
        if (error instanceof NotFoundError) continue;
        logger.warn({ instance: instanceId, err: error }, 'cannot ask for a backup that is due');
      }
    }
  };
}
