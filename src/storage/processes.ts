import type { Redis } from 'ioredis';

/** Whether something that a process cannot work without has answered it. */
export interface Reached {
  readonly isReachable: boolean;
  readonly latencyMs: number;
}

/** What a process of this service says of itself. All of it is JSON, dates included. */
export interface ServiceProcess {
  readonly id: string;
  readonly role: 'api' | 'worker' | 'all';
  readonly version: string;
  /** The name of its machine, and its number there. */
  readonly host: string;
  readonly pid: number;
  readonly startedAt: string;
  readonly beatAt: string;
  /** It says so again after this. */
  readonly everyMs: number;
  /** How late its timers were since it said so before: what else it has to do waits as long. */
  readonly eventLoop: { readonly meanMs: number; readonly p99Ms: number; readonly maxMs: number };
  readonly memoryBytes: number;
  readonly postgres: Reached;
  readonly redis: Reached;
}

/** Who does not say anything for so long is forgotten. */
const KEPT_MS = 3_600_000;

/** The processes of this service, as each has said last. Kept in Redis: they soon say it again. */
export interface Processes {
  beat(node: ServiceProcess): Promise<void>;
  /** It ends in good order, so nobody has to wonder where it is. */
  leave(id: string): Promise<void>;
  /** Also those that have fallen silent within the last hour. By id. */
  list(): Promise<readonly ServiceProcess[]>;
}

export function createProcesses(redis: Redis, prefix: string): Processes {
  const index = `${prefix}:processes:1`;
  const keyOf = (id: string) => `${index}:${id}`;
  return {
    async beat(node) {
      const at = Date.parse(node.beatAt);
      await redis
        .multi()
        .set(keyOf(node.id), JSON.stringify(node), 'PX', KEPT_MS)
        .zadd(index, String(at), node.id)
        .zremrangebyscore(index, '-inf', String(at - KEPT_MS))
        .exec();
    },
    async leave(id) {
      await redis.multi().del(keyOf(id)).zrem(index, id).exec();
    },
    async list() {
      const ids = (await redis.zrange(index, '0', '-1')).toSorted();
      const texts = ids.length === 0 ? [] : await redis.mget(ids.map(keyOf));
      return texts.flatMap((text) => (text === null ? [] : [JSON.parse(text) as ServiceProcess]));
    },
  };
}
