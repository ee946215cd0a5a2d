import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { createAttempts } from '../../src/http/auth/attempts.ts';
import { createLimits } from '../../src/http/auth/limits.ts';
import {
  createPasswords,
  hashPassword,
  type Passwords,
  verifyPassword,
} from '../../src/http/auth/passwords.ts';
import { createSignIn } from '../../src/http/auth/sign-in.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { authEndpoints } from '../../src/http/routes/auth.ts';
import { createHttpApp, listen } from '../../src/http/server.ts';
import { createAccounts } from '../../src/storage/accounts.ts';
import { createAudit } from '../../src/storage/audit.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { PASSWORD } from '../support/accounts.ts';
import { createTestDatabase } from '../support/database.ts';
import { pOfSameDistribution } from '../support/mann-whitney.ts';

/** Below this two kinds of answers take different times. */
const P_MIN = 0.001;
const SAMPLES = 30;
/** One in a thousand rounds would find a difference where there is none; three in a row do not. */
const ROUNDS_MAX = 3;

const opened = new AsyncDisposableStack();
afterAll(() => opened.disposeAsync());
const database = opened.use(await createTestDatabase());
const redis = new Redis(inject('redisUrl'));
opened.defer(() => redis.disconnect());
const now = Date.now;
await createUsers(database.prisma).upsert({
  ...{ id: 'u-alice', email: 'alice@zpack.test', username: 'alice', role: 'user' },
  passwordHash: await hashPassword(PASSWORD),
});

/** The route of the API over a socket, with a check of passwords of choice. */
async function startLogin(passwords: Passwords) {
  const tokens = createTokens({
    ...{ secret: 'x'.repeat(32), oldSecrets: [], issuer: 'test', now },
    ...{ accessTtlS: 60, refreshTtlS: 60, ideTtlS: 60, ideCookieTtlS: 60 },
  });
  const many = 1_000_000;
  const limits = createLimits({
    ...{ redis, prefix: `timing-${crypto.randomUUID()}`, onReached: async () => {} },
    max: { signIns: many, resets: many, support: many, registrations: many },
  });
  const sessions = createSessions(database);
  const authentication = { authenticate: () => Promise.reject(new Error('none')), forget() {} };
  const signIn = createSignIn({
    ...{ users: createUsers(database.prisma), accounts: createAccounts(database.prisma) },
    ...{ sessions, audit: createAudit(database.prisma), tokens, authentication, passwords },
    ...{ attempts: createAttempts(limits), limits, refreshTtlS: 60, now },
    newId: () => crypto.randomUUID(),
  });
  const billingOf = () => Promise.reject(new Error('nobody is signed in'));
  const app = createHttpApp({
    endpoints: authEndpoints({ signIn, sessions, authentication, billingOf, now }),
    ...{ authenticate: authentication.authenticate, corsOrigins: [], problems: '' },
    logger: createLogger('silent'),
  });
  const { url } = opened.use(await listen(app, { host: '127.0.0.1', port: 0 }));
  return async (identifier: string): Promise<number> => {
    const begunAt = performance.now();
    const answer = await fetch(`${url}/api/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identifier, password: 'a wrong password' }),
    });
    await answer.text();
    if (answer.status !== 401) throw new Error(`answered ${answer.status}`);
    return performance.now() - begunAt;
  };
}

/** Asks for both in turn, each time in another order: what holds the machine up meets both alike. */
async function measure(login: (identifier: string) => Promise<number>, samples: number) {
  const known: number[] = [];
  const unknown: number[] = [];
  for (let nth = 0; nth < samples; nth += 1) {
    const askKnown = async () => known.push(await login('alice'));
    const askUnknown = async () => unknown.push(await login(`nobody${nth}`));
    const order = Math.random() < 0.5 ? [askKnown, askUnknown] : [askUnknown, askKnown];
    for (const ask of order) await ask();
  }
  return pOfSameDistribution(known, unknown);
}

describe('how long a refusal takes', () => {
  test('says nothing of whether there is such an account', async () => {
    const login = await startLogin(createPasswords());
    await measure(login, 3);

    const ps: number[] = [];
    while (ps.length < ROUNDS_MAX && !ps.some((p) => p > P_MIN)) {
      ps.push(await measure(login, SAMPLES));
    }

    expect(Math.max(...ps), `p of each round: ${ps.join(', ')}`).toBeGreaterThan(P_MIN);
  });

  test('would be seen to do so if nothing were hashed for nobody', async () => {
    const hasty = createPasswords({
      hash: hashPassword,
      verify: async (password, hash) => hash !== null && verifyPassword(password, hash),
    });
    const login = await startLogin(hasty);
    await measure(login, 3);

    expect(await measure(login, SAMPLES / 2)).toBeLessThan(P_MIN);
  });
});

test('no more than two passwords are hashed at a time, and all who wait have their turn', async () => {
  let [inFlight, most] = [0, 0];
  async function work<T>(result: T): Promise<T> {
    inFlight += 1;
    most = Math.max(most, inFlight);
    await new Promise(setImmediate);
    inFlight -= 1;
    return result;
  }
  const passwords = createPasswords({
    hash: (password) => work(`hash of ${password}`),
    verify: (password) =>
      password === 'broken' ? Promise.reject(new Error('broken')) : work(true),
  });

  const waiting = Array.from({ length: 50 }, (_, nth) => passwords.hash(`p${nth}`));
  const broken = expect(passwords.verify('broken', null)).rejects.toThrow('broken');
  const crowd = Array.from({ length: 60 }, () => passwords.verify('p', null));
  const settled = await Promise.allSettled(crowd);

  await broken;
  expect(await Promise.all(waiting)).toContain('hash of p49');
  expect(most).toBe(2);
  const refused = settled.filter(({ status }) => status === 'rejected');
  expect(refused[0]).toMatchObject({ reason: { code: 'unavailable' } });
  expect(await passwords.verify('p', null)).toBe(true);
});

describe('the test of times itself', () => {
  const spread = (from: number) => Array.from({ length: 40 }, (_, nth) => from + ((nth * 7) % 40));

  test('sees a shift, and none where there is none', () => {
    expect(pOfSameDistribution(spread(0), spread(0.5))).toBeGreaterThan(0.5);
    expect(pOfSameDistribution(spread(0), spread(20))).toBeLessThan(0.001);
    expect(pOfSameDistribution([1, 1, 1], [1, 1, 1])).toBeCloseTo(1);
  });
});
