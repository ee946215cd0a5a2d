import type { Redis } from 'ioredis';

import { UnavailableError } from '../errors.ts';

const TTL_S = 3_600;

/** One JSON value that all nodes share. It is found out again soon, so Redis may lose it. */
export interface KeptJson<Value> {
  save(value: Value): Promise<void>;
  /** null: there is none yet, or none any more. @throws UnavailableError while Redis is away */
  latest(): Promise<Value | null>;
}

/** `what`: who keeps what, as the error says it. A release that keeps another shape uses another key. */
export function createKeptJson<Value>(redis: Redis, key: string, what: string): KeptJson<Value> {
  const away = (cause: unknown) => {
    throw new UnavailableError(`Redis, which keeps ${what}, does not answer`, { cause });
  };
  return {
    async save(value) {
      await redis.set(key, JSON.stringify(value), 'EX', TTL_S).catch(away);
    },
    async latest() {
      const text = await redis.get(key).catch(away);
      return text === null ? null : (JSON.parse(text) as Value);
    },
  };
}
