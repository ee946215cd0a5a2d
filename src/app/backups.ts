import type { AskOperation } from '../http/ask-operation.ts';
import { createBackupListing } from '../http/backups/listing.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { backupScheduleEndpoints } from '../http/routes/backup-schedule.ts';
import { backupEndpoints } from '../http/routes/backups.ts';
import type { AwaitOperation } from '../http/routes/operations.ts';
import { createRetention } from '../queues/workers/retain-backups.ts';
import { createBackupSchedule } from '../queues/workers/schedule-backups.ts';
import type { Sweeps } from '../queues/workers/sweep.ts';
import { createBackupPolicies } from '../storage/backup-policies.ts';
import { createBackups } from '../storage/backups.ts';
import { createOperations } from '../storage/operations.ts';
import type { FindEntry } from '../view/entry.ts';
import type { Foundation } from './foundation.ts';

interface Asking {
  readonly find: FindEntry;
  readonly ask: AskOperation;
  readonly awaitOperation: AwaitOperation;
}

/** The backups of games, by their agents. */
export function createBackupEndpoints(
  { backups, database, now }: Pick<Foundation, 'backups' | 'database' | 'now'>,
  asking: Asking,
): readonly AnyEndpoint[] {
  const known = createBackups(database.pool);
  const policies = createBackupPolicies(database.pool);
  return [
    ...backupScheduleEndpoints({ find: asking.find, policies, now }),
    ...backupEndpoints({ ...asking, known, list: createBackupListing({ backups, known }) }),
  ];
}

/** Backups that are due, and those that need not be kept any more. */
export function createBackupSweeps(
  parts: Pick<Foundation, 'actors' | 'backups' | 'config' | 'database' | 'logger' | 'randomId'>,
): Sweeps {
  const { actors, backups, database, logger, randomId } = parts;
  const { everyMs } = parts.config.backups;
  const policies = createBackupPolicies(database.pool);
  const operations = createOperations(database.prisma);
  const known = createBackups(database.pool);
  return {
    backup_schedule: {
      everyMs,
      run: createBackupSchedule({ policies, actors, operations, logger }),
    },
    backup_retention: {
      everyMs,
      run: createRetention({ policies, backups, known, actors, randomId, logger }),
    },
  };
}
