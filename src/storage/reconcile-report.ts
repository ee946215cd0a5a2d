import type { Redis } from 'ioredis';

import { createKeptJson, type KeptJson } from './kept-json.ts';

/** What a comparison of Proxmox with our rows has found. All of it is JSON, dates included. */
export interface ReconcileReport {
  readonly checkedAt: string;
  readonly tookMs: number;
  readonly containersWithoutRow: readonly StrayContainer[];
  readonly rowsWithoutContainer: readonly BereftRow[];
  readonly debts: readonly OwedDebt[];
  readonly stuckEffects: readonly StuckEffect[];
  readonly timersOverdue: readonly OverdueTimer[];
}

/** In our VMID ranges, and of no living instance. */
export interface StrayContainer {
  readonly node: string;
  readonly vmid: number;
  readonly name: string | null;
  /** The instance that it says it belongs to. */
  readonly marker: string | null;
  /** false: its node did not answer. */
  readonly isMarkerKnown: boolean;
  /** The same if that instance has lived here: then it is owed, and will be removed. */
  readonly belongsTo: string | null;
  readonly isOwed: boolean;
}

/** An instance that ought to have a container. */
export interface BereftRow {
  readonly instanceId: string;
  readonly vmid: number;
  readonly hostname: string;
  readonly node: string | null;
  /** What its machine believes of its power: `absent` if it knows. */
  readonly host: string;
  /** What its node said when it was asked: also somebody else's container is none of ours. */
  readonly found: 'nothing' | 'foreign' | 'no_answer';
}

export interface OwedDebt {
  readonly instanceId: string;
  readonly vmid: number;
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly attempts: number;
  readonly createdAt: string;
  readonly triedAt: string;
}

export interface StuckEffect {
  readonly key: string;
  readonly instanceId: string;
  readonly kind: string;
  readonly claims: number;
  readonly isHeld: boolean;
  readonly createdAt: string;
}

export interface OverdueTimer {
  readonly instanceId: string;
  readonly timerId: string;
  readonly dueAt: string;
}

/**
 * The latest report, for every node. It is kept in Redis and not in a table: it says nothing that
 * cannot be found out again in a second, so it is worth neither a write each minute nor a
 * migration, and a report that outlived the world it was made of would only mislead.
 */
export type ReconcileReports = KeptJson<ReconcileReport>;

export const createReconcileReports = (redis: Redis, prefix: string): ReconcileReports =>
  createKeptJson(redis, `${prefix}:reconcile:1`, 'the report');
