import type { Redis } from 'ioredis';

import { createKeptJson, type KeptJson } from './kept-json.ts';

/** How a node of Proxmox was found. All of it is JSON, dates included. */
export interface SightedNode {
  readonly name: string;
  /** `unlisted`: the cluster does not know it any more. */
  readonly state: 'online' | 'offline' | 'unlisted';
  /** When it was last seen online; null: not since somebody looks. */
  readonly onlineAt: string | null;
  /** Share of its cores, cores, bytes, bytes and seconds, of when it was last seen online. */
  readonly cpu: number | null;
  readonly maxcpu: number | null;
  readonly mem: number | null;
  readonly maxmem: number | null;
  readonly uptime: number | null;
}

export interface ClusterReport {
  /** When Proxmox last listed its nodes; null: it has not, since somebody looks. */
  readonly checkedAt: string | null;
  readonly nodes: readonly SightedNode[];
  /** Why it did not the last time that it did not, also when it is well again. */
  readonly lastError: { readonly code: string; readonly at: string } | null;
}

/** Containers of whomever, as the list of the cluster has them. */
export interface ContainerCounts {
  readonly countedAt: string;
  readonly nodes: Readonly<Record<string, { readonly running: number; readonly all: number }>>;
}

export const createClusterReports = (redis: Redis, prefix: string): KeptJson<ClusterReport> =>
  createKeptJson(redis, `${prefix}:cluster-nodes:1`, 'what was seen of the nodes of Proxmox');

export const createContainerCounts = (redis: Redis, prefix: string): KeptJson<ContainerCounts> =>
  createKeptJson(redis, `${prefix}:container-counts:1`, 'how many containers there are');
