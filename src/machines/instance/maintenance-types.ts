import type { Failure } from './terms.ts';

/** What the maintenance region remembers, hears and asks for. Times are Unix ms. */

export type MaintenanceKind = 'backup' | 'restore' | 'verify' | 'backup_deletion';
export type BackupOpKind = 'create' | 'halt' | 'restore' | 'resume' | 'verify' | 'delete';

/** One piece of work on backups, by whoever wanted it. */
export interface MaintenanceOperation {
  readonly id: string;
  readonly kind: MaintenanceKind;
  readonly state: 'running' | 'succeeded' | 'failed' | 'superseded';
  readonly requestedBy: string;
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
  readonly step: BackupOpKind;
  /** null: a backup that is still being made. */
  readonly backupId: string | null;
  readonly error: Failure | null;
}

export interface Maintenance {
  /** The latest; it may have ended. */
  readonly operation: MaintenanceOperation | null;
  /** Did the game run before it was stopped for a restoration, and is owed its start since? */
  readonly wasRunning: boolean;
  /** Attempts of what is being repeated. */
  readonly attempts: number;
}

interface Wish {
  readonly operationId: string;
  readonly requestedBy: string;
}

export type MaintenanceFact =
  | ({ readonly type: 'backup.requested' } & Wish)
  | ({ readonly type: 'restore.requested'; readonly backupId: string } & Wish)
  | ({ readonly type: 'verify.requested'; readonly backupId: string } & Wish)
  | ({ readonly type: 'backup_deletion.requested'; readonly backupId: string } & Wish)
  /** Its owner has the agent stop the game: then nobody starts it. */
  | { readonly type: 'game_stop.requested' }
  | { readonly type: 'backup.made'; readonly opId: string; readonly backupId: string }
  /** Told before it is stopped: whoever goes on finds it stopped. */
  | { readonly type: 'game.found_running'; readonly opId: string }
  | { readonly type: 'game.halted'; readonly opId: string }
  | { readonly type: 'backup.restored'; readonly opId: string }
  | { readonly type: 'game.resumed'; readonly opId: string }
  | { readonly type: 'backup.verified'; readonly opId: string }
  | { readonly type: 'backup.deleted'; readonly opId: string };

/** `operationId`: whoever repeats an order gives it the same name, so that it is done once. */
interface Order {
  readonly ip: string;
  readonly operationId: string;
}
interface OrderAbout extends Order {
  readonly backupId: string;
}

export type MaintenanceEffect =
  | ({ readonly kind: 'backup.create' } & Order)
  | ({ readonly kind: 'backup.halt' } & OrderAbout)
  | ({ readonly kind: 'backup.restore' } & OrderAbout)
  | ({ readonly kind: 'backup.resume' } & Order)
  | ({ readonly kind: 'backup.verify' } & OrderAbout)
  | ({ readonly kind: 'backup.delete' } & OrderAbout);
