import type { Redis } from 'ioredis';

import type { Committed } from '../actors/system.ts';
import type { InstanceContext } from '../machines/instance/types.ts';

/** A running operation has a deadline of minutes; whoever reads later than this reads nothing. */
const RUNNING_TTL_S = 900;
const ENDED_TTL_S = 30;

/**
 * Copies each change of power to `hostop:<vmid>`, as JSON, for readers outside this service.
 * Nobody here ever reads it, and that a copy was lost matters to nobody.
 */
export function createHostOperationMirror(options: {
  readonly redis: Redis;
  readonly prefix: string;
  readonly onError: (error: unknown) => void;
}) {
  const { redis, prefix, onError } = options;
  return ({ step: { operations, snapshot } }: Committed): void => {
    const { vmid, hostOperation } = snapshot.context as InstanceContext;
    if (!hostOperation || !operations.includes(hostOperation)) return;
    const ttlS = hostOperation.state === 'running' ? RUNNING_TTL_S : ENDED_TTL_S;
    redis.set(`${prefix}hostop:${vmid}`, JSON.stringify(hostOperation), 'EX', ttlS).catch(onError);
  };
}
