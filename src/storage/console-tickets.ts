import type { Redis } from 'ioredis';

import { UnavailableError } from '../errors.ts';

/** What a ticket stands for: whoever got it, by the same credential, and one container. */
export interface Ticketed {
  readonly vmid: number;
  readonly userId: string;
  readonly role: 'user' | 'admin';
  readonly credentialId: string;
  readonly scopes: readonly string[] | null;
  readonly expiresAt?: number | undefined;
}

/** Tickets, by what `hashToken` makes of them. Each is good once, and for a short time. */
export interface ConsoleTickets {
  /** @throws UnavailableError while Redis is away */
  keep(hash: string, ticketed: Ticketed, ttlS: number): Promise<void>;
  /** Whoever takes one leaves none. null: unknown, used, or too old. @throws UnavailableError */
  take(hash: string): Promise<Ticketed | null>;
}

export function createConsoleTickets(redis: Redis, prefix: string): ConsoleTickets {
  const keyOf = (hash: string) => `${prefix}:console-ticket:${hash}`;
  return {
    keep: (hash, ticketed, ttlS) =>
      asking(async () => void (await redis.setex(keyOf(hash), ttlS, JSON.stringify(ticketed)))),
    take: (hash) =>
      asking(async () => {
        const text = await redis.getdel(keyOf(hash));
        return text === null ? null : (JSON.parse(text) as Ticketed);
      }),
  };
}

async function asking<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new UnavailableError('tickets cannot be looked at just now', { cause });
  }
}
