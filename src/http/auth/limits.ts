import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';

import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  RLWrapperTimeouts,
} from 'rate-limiter-flexible';

import { ControlPlaneError } from '../../errors.ts';

export interface WhoTries {
  readonly ip: string;
  /** Whose account it is about; null: nobody knows. */
  readonly subjectId: string | null;
}

/** How often something may be done in a time. */
export interface Limit {
  /** @throws ControlPlaneError `limit_exceeded`, with `retryAfterS` */
  take(key: string, who: WhoTries): Promise<void>;
  /** It was rightful, and does not count. */
  giveBack(key: string): Promise<void>;
  /** All is forgiven. */
  reset(key: string): Promise<void>;
}

export interface Limits {
  /** Sign-ins that have failed, or are being tried. */
  readonly signIns: { readonly ofAccount: Limit; readonly ofCaller: Limit };
  /** Sessions that are opened, and gone on with. */
  readonly sessions: { readonly ofAccount: Limit; readonly ofCaller: Limit };
  readonly resets: { readonly ofAccount: Limit; readonly ofCaller: Limit };
  readonly registrations: { readonly ofCaller: Limit };
  /** Mails to us. `ofAll`: however many write them. */
  readonly support: { readonly ofAddress: Limit; readonly ofCaller: Limit; readonly ofAll: Limit };
}

export interface LimitOptions {
  /** A connection of ioredis. */
  readonly redis: object;
  /** First part of every key. */
  readonly prefix: string;
  readonly max: {
    readonly signIns: number;
    readonly sessions: number;
    readonly resets: number;
    readonly support: number;
    readonly registrations: number;
  };
  /** Hears of each limit once in a time, when it is reached first. */
  readonly onReached: (limit: string, who: WhoTries) => Promise<void>;
}

const SIGN_INS_S = 15 * 60;
const MAILS_S = 60 * 60;
/** One caller may stand for many people: a school, a company. */
const CALLER_FACTOR = 10;
/** Keeps our own mailbox from being flooded. */
const SUPPORT_MAX = 200;
/** Longer than this nobody waits for Redis: until it is back, each node counts for itself. */
const REDIS_MAX_MS = 500;

export function createLimits({ redis, prefix, max, onReached }: LimitOptions): Limits {
  const create = (name: string, points: number, durationS: number) =>
    createLimit({ redis, prefix, name, points, durationS, onReached });
  const ofCaller = (name: string, points: number, durationS: number) =>
    create(`${name}-caller`, points * CALLER_FACTOR, durationS);
  const pair = (name: string, points: number, durationS: number) => ({
    ofAccount: create(`${name}-account`, points, durationS),
    ofCaller: ofCaller(name, points, durationS),
  });
  return {
    signIns: pair('sign-in', max.signIns, SIGN_INS_S),
    sessions: pair('session', max.sessions, SIGN_INS_S),
    resets: pair('reset', max.resets, MAILS_S),
    registrations: { ofCaller: create('registration-caller', max.registrations, MAILS_S) },
    support: {
      ofAddress: create('support-address', max.support, MAILS_S),
      ofCaller: ofCaller('support', max.support, MAILS_S),
      ofAll: create('support-all', Math.max(SUPPORT_MAX, max.support), MAILS_S),
    },
  };
}

function createLimit(
  options: Pick<LimitOptions, 'redis' | 'prefix' | 'onReached'> & {
    readonly name: string;
    readonly points: number;
    readonly durationS: number;
  },
): Limit {
  const { redis, prefix, name, points, durationS: duration, onReached } = options;
  const keyPrefix = `${prefix}:limit:${name}`;
  const inMemory = new RateLimiterMemory({ keyPrefix, points, duration });
  const limiter = new RLWrapperTimeouts({
    timeoutMs: REDIS_MAX_MS,
    insuranceLimiter: inMemory,
    limiter: new RateLimiterRedis({
      ...{ storeClient: redis, rejectIfRedisNotReady: true },
      ...{ keyPrefix, points, duration },
    }),
  });
  return {
    async take(key, who) {
      try {
        await limiter.consume(digest(key));
      } catch (error) {
        if (!(error instanceof RateLimiterRes)) throw error;
        if (error.consumedPoints === points + 1) await onReached(name, who);
        throw exceeded(error.msBeforeNext);
      }
    },
    giveBack: async (key) => void (await limiter.reward(digest(key))),
    reset: async (key) => void (await limiter.delete(digest(key))),
  };
}

/** What people type may be long, or a password in the wrong place: it is no key of ours. */
const digest = (key: string) => createHash('sha256').update(key).digest('base64url').slice(0, 22);

function exceeded(ms: number): ControlPlaneError {
  const retryAfterS = Math.max(1, Math.ceil(ms / 1000));
  return new ControlPlaneError(
    'limit_exceeded',
    `too many attempts: try again in ${retryAfterS} s`,
    {
      details: { retryAfterS },
    },
  );
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** Who is counted as one: an IPv4 address, or the network of an IPv6 one, which has them for free. */
export function callerOf(ip: string): string {
  const mapped = MAPPED.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(ip)) return ip;
  const [head = '', tail] = ip.split('%', 1)[0]?.split('::') ?? [];
  const groups = (text: string) => text.split(':').filter(Boolean);
  const missing = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(missing).fill('0'), ...groups(tail ?? '')];
  const network = all.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(':')}::/64`;
}
