import type { Redis } from 'ioredis';

import { UnavailableError } from '../errors.ts';

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

/** Several comparisons in a row must have failed before nobody knows of one any more. */
const TTL_S = 3_600;

/**
 * The latest report, for every node. It is kept in Redis and not in a table: it says nothing that
 * cannot be found out again in a second, so it is worth neither a write each minute nor a
 * migration, and a report that outlived the world it was made of would only mislead.
 */
export interface ReconcileReports {
  save(report: ReconcileReport): Promise<void>;
  /** null: there is none yet, or none any more. */
  latest(): Promise<ReconcileReport | null>;
}

export function createReconcileReports(redis: Redis, prefix: string): ReconcileReports {
  // A release that reports otherwise uses another key, and so never reads what is not its own.
  const key = `${prefix}:reconcile:1`;
  const away = (cause: unknown) => {
    throw new UnavailableError('Redis, which keeps the report, does not answer', { cause });
  };
  return {
    async save(report) {
      await redis.set(key, JSON.stringify(report), 'EX', TTL_S).catch(away);
    },
    async latest() {
      const text = await redis.get(key).catch(away);
      return text === null ? null : (JSON.parse(text) as ReconcileReport);
    },
  };
}
