import type { Redis } from 'ioredis';
import { Semaphore, TimeoutError } from 'redis-semaphore';

import { UpstreamError } from '../errors.ts';

/** A Proxmox node that is asked for many things at once does none of them in time. */
export interface NodeSlots {
  /**
   * Acts if the node has a place left or gets one in a moment; all our workers share its places.
   * @throws UpstreamError `node_busy`: who waited here would keep others from other nodes.
   */
  use<Result>(node: string, signal: AbortSignal, act: () => Promise<Result>): Promise<Result>;
}

/** A place whose holder has died is free again after this. */
const LEASE_MS = 15_000;
const RETRY_MS = 100;
/** Whoever finds no place in this time comes back later. */
const PATIENCE_MS = 1_000;

const keyOf = (prefix: string, node: string) => `${prefix}:node:${node}`;
/** Where the semaphore keeps who holds a place of it, by when they last said so. */
const holdersKeyOf = (prefix: string, node: string) => `semaphore:${keyOf(prefix, node)}`;

/** How many places of each node are taken just now. */
export function createNodeLoads(options: {
  readonly redis: Redis;
  readonly prefix: string;
  readonly now: () => number;
}) {
  const { redis, prefix, now } = options;
  return (nodes: readonly string[]): Promise<ReadonlyMap<string, number>> =>
    Promise.all(
      nodes.map(async (node) => {
        const key = holdersKeyOf(prefix, node);
        return [node, await redis.zcount(key, now() - LEASE_MS, '+inf')] as const;
      }),
    ).then((counted) => new Map(counted));
}

/**
 * Counts in Redis. That is a courtesy to the node, not a rule that anything else rests on: while
 * Redis is away, power goes on without it.
 */
export function createNodeSlots(options: {
  readonly redis: Redis;
  readonly prefix: string;
  readonly perNode: number;
  readonly onError: (error: unknown) => void;
}): NodeSlots {
  const { redis, prefix, perNode, onError } = options;
  return {
    async use(node, signal, act) {
      const slot = new Semaphore(redis, keyOf(prefix, node), perNode, {
        lockTimeout: LEASE_MS,
        refreshInterval: LEASE_MS / 3,
        retryInterval: RETRY_MS,
        acquireTimeout: PATIENCE_MS,
        // Lost with the data of Redis: what has begun goes on all the same.
        onLockLost: onError,
      });
      await slot.acquire(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        if (error instanceof TimeoutError) throw busy(node);
        onError(error);
      });
      try {
        return await act();
      } finally {
        await slot.release().catch(onError);
      }
    },
  };
}

const busy = (node: string) =>
  new UpstreamError(`node ${node} is at work on as many changes as it may be`, {
    reason: 'node_busy',
    retryable: true,
  });
