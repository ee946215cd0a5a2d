import { Redis } from 'ioredis';
import { afterAll, describe, expect, inject, test } from 'vitest';

import { createAttempts } from '../../src/http/auth/attempts.ts';
import { createLimits } from '../../src/http/auth/limits.ts';
import { createPasswordChanges } from '../../src/http/auth/password-changes.ts';
import {
  createDerivations,
  createPasswords,
  hashPassword,
  type Passwords,
  verifyPassword,
} from '../../src/http/auth/passwords.ts';
import { createSignIn } from '../../src/http/auth/sign-in.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { authEndpoints } from '../../src/http/routes/auth.ts';
import { passwordEndpoints } from '../../src/http/routes/passwords.ts';
import { createHttpApp, listen } from '../../src/http/server.ts';
import { createAccounts } from '../../src/storage/accounts.ts';
import { createAudit } from '../../src/storage/audit.ts';
import { createMails } from '../../src/storage/mails.ts';
import { createPasswordResets } from '../../src/storage/password-resets.ts';
import { createSessions } from '../../src/storage/sessions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { PASSWORD } from '../support/accounts.ts';
import { createTestDatabase } from '../support/database.ts';
import { pOfSameDistribution } from '../support/mann-whitney.ts';

/** Below this two kinds of answers take different times. */
const P_MIN = 0.001;
/** One in a thousand rounds would find a difference where there is none; three in a row do not. */
const ROUNDS_MAX = 3;
/** Of each kind, in turn. So many show one millisecond, as is proven in the same run. */
const SAMPLES = 200;
const SEEN_MS = 1;
/**
 * The hash is the same for both and its noise hides all else: with one of little work the same code
 * shows smaller differences. That the work is done for nobody, too, is seen with the real one.
 */
const QUICK = createDerivations({ memory: 64, passes: 1, parallelism: 1 });
const HASHED_SAMPLES = 20;

const opened = new AsyncDisposableStack();
afterAll(() => opened.disposeAsync());
const database = opened.use(await createTestDatabase());
const redis = new Redis(inject('redisUrl'));
opened.defer(() => redis.disconnect());
const now = Date.now;
for (const [name, hash] of [
  ['alice', QUICK.hash],
  ['slow', hashPassword],
] as const) {
  await createUsers(database.prisma).upsert({
    ...{ id: `u-${name}`, email: `${name}@zpack.test`, username: name, role: 'user' },
    passwordHash: await hash(PASSWORD),
  });
}

/** The routes of the API over a socket, with a check of passwords of choice. */
async function startApi(derivations: Passwords) {
  const [prisma, newId] = [database.prisma, () => crypto.randomUUID()];
  const tokens = createTokens({
    ...{ secret: 'x'.repeat(32), oldSecrets: [], issuer: 'test', now },
    ...{ accessTtlS: 60, refreshTtlS: 60, ideTtlS: 60, ideCookieTtlS: 60 },
  });
  const many = 1_000_000;
  const limits = createLimits({
    ...{ redis, prefix: `timing-${newId()}`, onReached: async () => {} },
    max: { signIns: many, sessions: many, resets: many, support: many, registrations: many },
  });
  const sessions = createSessions(database);
  const authentication = { authenticate: () => Promise.reject(new Error('none')), forget() {} };
  const common = {
    ...{ users: createUsers(prisma), accounts: createAccounts(prisma), sessions, tokens },
    ...{ audit: createAudit(prisma), authentication, limits, now, newId },
    ...{ passwords: createPasswords(derivations), attempts: createAttempts(limits) },
  };
  const resets = createPasswordResets({ prisma, ttlS: 60, now, randomToken: newId });
  const mails = createMails(database.pool);
  const billingOf = () => Promise.reject(new Error('nobody is signed in'));
  const changes = createPasswordChanges({
    ...{ ...common, resets, mailSoon() {}, forgive: async () => {} },
    queueMail: async (order) => void (await mails.queue(order)),
  });
  const app = createHttpApp({
    endpoints: [
      ...authEndpoints({
        ...{ signIn: createSignIn({ ...common, refreshTtlS: 60 }), sessions, authentication },
        ...{ billingOf, now },
      }),
      ...passwordEndpoints(changes),
    ],
    ...{ authenticate: authentication.authenticate, corsOrigins: [], problems: '' },
    logger: createLogger('silent'),
  });
  const { url } = opened.use(await listen(app, { host: '127.0.0.1', port: 0 }));
  const post = async (path: string, body: object, expected: number): Promise<void> => {
    const answer = await fetch(`${url}/api/auth/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    await answer.text();
    if (answer.status !== expected) throw new Error(`answered ${answer.status}`);
  };
  return {
    login: (identifier: string) => post('login', { identifier, password: 'a wrong one' }, 401),
    askReset: (name: string) => post('forgot-password', { email: `${name}@zpack.test` }, 202),
  };
}

type Ask = (name: string) => Promise<void>;

/** Asks for both in turn, each time in another order: what holds the machine up meets both alike. */
async function measure(ask: Ask, samples = SAMPLES, known = 'alice') {
  const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] };
  async function time(which: 'known' | 'unknown', name: string): Promise<void> {
    const begunAt = performance.now();
    await ask(name);
    times[which].push(performance.now() - begunAt);
  }
  for (let nth = 0; nth < samples; nth += 1) {
    const asks = [() => time('known', known), () => time('unknown', `nobody${nth}`)];
    for (const one of Math.random() < 0.5 ? asks : asks.reverse()) await one();
  }
  return pOfSameDistribution(times.known, times.unknown);
}

/** Three rounds at most; one that finds nothing will do. */
async function expectSame(ask: Ask, samples = SAMPLES, known = 'alice'): Promise<void> {
  await measure(ask, 5, known);
  const ps: number[] = [];
  while (ps.length < ROUNDS_MAX && !ps.some((p) => p > P_MIN)) {
    ps.push(await measure(ask, samples, known));
  }
  expect(Math.max(...ps), `p of each round: ${ps.join(', ')}`).toBeGreaterThan(P_MIN);
}

/** Whoever has an account waits a little longer, or shorter, for the same answer. */
const leaking =
  (ask: Ask): Ask =>
  async (name) => {
    const until = performance.now() + (name === 'alice' ? SEEN_MS : 0);
    while (performance.now() < until);
    await ask(name);
  };

describe('how long a refusal takes', () => {
  test('says nothing of whether there is such an account', async () => {
    const { login } = await startApi(QUICK);

    await expectSame(login);
  });

  test('says as little with the hash that is really made', async () => {
    const { login } = await startApi({ hash: hashPassword, verify: verifyPassword });

    await expectSame(login, HASHED_SAMPLES, 'slow');
  });

  test('would be seen to do so if one millisecond told them apart', async () => {
    const { login } = await startApi(QUICK);
    await measure(login, 5);

    expect(await measure(leaking(login))).toBeLessThan(P_MIN);
  });

  test('would be seen to do so if nothing were hashed for nobody', async () => {
    const { login } = await startApi({
      hash: hashPassword,
      verify: async (password, hash) => hash !== null && verifyPassword(password, hash),
    });
    await measure(login, 3, 'slow');

    expect(await measure(login, HASHED_SAMPLES, 'slow')).toBeLessThan(P_MIN);
  });
});

test('how long a request for a link takes says nothing of whether there is such an account', async () => {
  const { askReset } = await startApi(QUICK);

  await expectSame(askReset);
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
