import type { Redis } from 'ioredis';

import { createKeptJson, type KeptJson } from './kept-json.ts';

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

/** The latest report, for every node. */
export type EdgeHealthReports = KeptJson<EdgeHealthReport>;

export const createEdgeHealthReports = (redis: Redis, prefix: string): EdgeHealthReports =>
  createKeptJson(redis, `${prefix}:edge-health:1`, 'the health of the edge');
