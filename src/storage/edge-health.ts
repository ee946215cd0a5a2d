import type { Redis } from 'ioredis';

import { UnavailableError } from '../errors.ts';

/** How a third party of the edge was found. All of it is JSON, dates included. */
export interface PartyHealth {
  readonly name: string;
  readonly isReachable: boolean;
  readonly latencyMs: number;
  readonly checkedAt: string;
  /** The latest, also when it is well again. */
  readonly lastError: { readonly code: string; readonly at: string } | null;
}

export interface EdgeHealthReport {
  readonly parties: readonly PartyHealth[];
}

/** The latest report, for every node. It is found out again in seconds, so Redis will do. */
export interface EdgeHealthReports {
  save(report: EdgeHealthReport): Promise<void>;
  /** null: there is none yet, or none any more. */
  latest(): Promise<EdgeHealthReport | null>;
}

const TTL_S = 3_600;

export function createEdgeHealthReports(redis: Redis, prefix: string): EdgeHealthReports {
  const key = `${prefix}:edge-health:1`;
  const away = (cause: unknown) => {
    throw new UnavailableError('Redis, which keeps the health of the edge, does not answer', {
      cause,
    });
  };
  return {
    async save(report) {
      await redis.set(key, JSON.stringify(report), 'EX', TTL_S).catch(away);
    },
    async latest() {
      const text = await redis.get(key).catch(away);
      return text === null ? null : (JSON.parse(text) as EdgeHealthReport);
    },
  };
}
