import type { Redis } from 'ioredis';

import { UnavailableError } from '../errors.ts';

/** Tokens that are good once, remembered for as long as they would be good. */
export interface UsedTokens {
  /**
   * True the first time.
   * @throws UnavailableError while nobody can know whether it is the first.
   */
  take(id: string, ttlS: number): Promise<boolean>;
}

export const createUsedTokens = (redis: Redis, prefix: string): UsedTokens => ({
  async take(id, ttlS) {
    try {
      return (await redis.set(`${prefix}:used:${id}`, 1, 'EX', ttlS, 'NX')) === 'OK';
    } catch (cause) {
      throw new UnavailableError('cannot tell whether this has been used before', { cause });
    }
  },
});
