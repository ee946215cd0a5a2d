import type { AskOperation } from '../http/ask-operation.ts';
import { createBackupListing } from '../http/backups/listing.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { backupEndpoints } from '../http/routes/backups.ts';
import type { AwaitOperation } from '../http/routes/operations.ts';
import { createBackups } from '../storage/backups.ts';
import type { FindEntry } from '../view/entry.ts';
import type { Foundation } from './foundation.ts';

interface Asking {
  readonly find: FindEntry;
  readonly ask: AskOperation;
  readonly awaitOperation: AwaitOperation;
}

/** The backups of games, by their agents. */
export function createBackupEndpoints(
  { backups, database }: Pick<Foundation, 'backups' | 'database'>,
  asking: Asking,
): readonly AnyEndpoint[] {
  const known = createBackups(database.pool);
  return backupEndpoints({ ...asking, known, list: createBackupListing({ backups, known }) });
}
