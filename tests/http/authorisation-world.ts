import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startStripe } from '../../lab/stripe/server.ts';
import { planBirth } from '../../src/actors/birth.ts';
import { hashToken } from '../../src/http/auth/opaque-token.ts';
import type { Scope } from '../../src/http/auth/principal.ts';
import { createTokens } from '../../src/http/auth/tokens.ts';
import { definitions, subscriptionOf } from '../../src/machines/index.ts';
import { createInstanceStore } from '../../src/storage/instance-store.ts';
import { createPlans } from '../../src/storage/plans.ts';
import { createSubscriptions } from '../../src/storage/subscriptions.ts';
import { createUsers } from '../../src/storage/users.ts';
import { ADMIN, ALICE, BOB, startTestApp, type TestApp } from '../support/app.ts';
import { begin, power, serve } from '../support/instance-life.ts';
import { sampleInput } from '../support/instance-model.ts';
import { observed, sampleSubscription } from '../support/subscription-model.ts';

export type Machine = 'prometheus' | 'traefik' | 'bridge' | 'stripe' | 'resend';
export type Who = 'owner' | 'other' | 'suspended' | 'admin';
type Power = 'running' | 'stopped' | 'failed';
export type Target = Power | 'session' | 'api_token' | 'refresh_token' | 'account';

export const USERS: Readonly<Record<Who, string>> = {
  ...{ owner: ALICE, other: BOB, suspended: 'u-unpaid', admin: ADMIN },
};
const SPARE = 'u-spare';
const SECRET = 'a secret of the matrix, of thirty-two characters or more';

const PLANS = [
  { id: 'free', priceCents: 0, position: 0, stripePriceId: null, isDefault: true },
  { id: 'small', priceCents: 500, position: 1, stripePriceId: 'price_small', isDefault: false },
];

export type AuthorisationWorld = Awaited<ReturnType<typeof startAuthorisationWorld>>;

/**
 * The API alone, with everything configured by which there are routes: no worker acts on what was
 * asked, so each container stays as it was made, and 202 is the last that is heard of a wish.
 */
export async function startAuthorisationWorld() {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'zpack-matrix-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const stripe = opened.use(await startStripe({ dataDir: folder }));
  const gates = {
    ...{ prometheus: 'the token of Prometheus', traefik: 'the token of Traefik' },
    bridge: 'the secret of the bridge',
    resend: `whsec_${Buffer.from('the key of Resend').toString('base64')}`,
  };
  const app = opened.use(
    await startTestApp({
      environment: {
        ...{ ROLE: 'api', JWT_SECRET: SECRET },
        ...{ STRIPE_URL: stripe.url.href, STRIPE_SECRET_KEY: stripe.secretKey },
        ...{ STRIPE_WEBHOOK_SECRET: stripe.webhookSecret, PROM_SD_TOKEN: gates.prometheus },
        ...{ TRAEFIK_TOKEN: gates.traefik, TRAEFIK_ENTRYPOINTS: 'terraria=tcp:10000-11000' },
        ...{ VELOCITY_URL: 'http://127.0.0.1:1', VELOCITY_SECRET: gates.bridge },
        ...{ RESEND_WEBHOOK_SECRET: gates.resend, SESSIONS_OPENED_MAX: '10000' },
        ...{ ACCOUNT_MAILS_MAX: '1000', REGISTRATIONS_MAX: '1000' },
      },
    }),
  );
  const tokens = createTokens({
    ...{ secret: SECRET, oldSecrets: [], issuer: 'zpack', now: Date.now },
    ...{ accessTtlS: 900, refreshTtlS: 9_000, ideTtlS: 300, ideCookieTtlS: 3_600 },
  });
  await fill(app);
  const credentials = createCredentials(app, tokens);
  const containers = createContainers(app);
  const closing = opened.move();
  return {
    ...{ app, stripe, gates, tokens, secret: SECRET, ...credentials },
    /** Something of this user, as if it had come to be so by itself. @returns its id */
    async make(target: Target | undefined, who: Who): Promise<string> {
      const userId = USERS[who];
      if (target === undefined) return '';
      if (target === 'account') return SPARE;
      if (target === 'session') return (await credentials.openSession(userId)).id;
      if (target === 'refresh_token') return (await credentials.openSession(SPARE)).refreshToken;
      if (target === 'api_token') return (await credentials.createApiToken(userId, ['read'])).id;
      return containers.create(target, who);
    },
    isUntouched: (target: Target, id: string) => isUntouched(app, target, id),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Plans, one of them for nothing, and somebody who has not paid for the other. */
async function fill({ database }: TestApp): Promise<void> {
  const plans = createPlans(database.prisma);
  for (const plan of PLANS) {
    const size = { slots: 1_000, memoryMiB: 1_000_000 };
    await plans.upsert({ ...plan, ...size, name: plan.id, currency: 'eur' });
  }
  const { passwordHash } = await database.prisma.user.findUniqueOrThrow({ where: { id: BOB } });
  const users = createUsers(database.prisma);
  for (const id of [USERS.suspended, SPARE]) {
    const username = id.slice(2);
    const email = `${username}@zpack.test`;
    await users.upsert({ id, email, username, role: 'user', passwordHash });
  }
  const userId = USERS.suspended;
  const { id } = subscriptionOf(userId);
  const input = sampleSubscription({ id, userId });
  const step = planBirth(definitions.subscription, {
    ...{ kind: 'subscription', id, input, eventId: 'created', at: 1 },
  });
  const context = {
    ...(step.snapshot.context as object),
    ...{ observed: observed('past_due'), suspendedAt: Date.now(), keptUntil: Date.now() + 9e9 },
    ops: { sync: null, change: null },
  };
  const value = { ...(step.snapshot.value as object), standing: 'suspended', sync: 'idle' };
  const snapshot = { ...step.snapshot, value, context };
  await createSubscriptions(database.pool).create(userId, { ...step, snapshot, effects: [] });
}

/** What people sign in with, made without their passwords. */
function createCredentials({ database }: TestApp, tokens: ReturnType<typeof createTokens>) {
  const { prisma } = database;
  return {
    async openSession(userId: string) {
      const id = randomUUID();
      const expiresAt = new Date(Date.now() + 9e6);
      const access = await tokens.issueAccess({ userId, sid: id });
      const { token } = await tokens.issueRefresh({ userId, sid: id, jti: id });
      await prisma.session.create({ data: { id, userId, expiresAt } });
      await prisma.refreshToken.create({ data: { hash: hashToken(token), sessionId: id } });
      return { id, accessToken: access.token, refreshToken: token };
    },
    async createApiToken(
      userId: string,
      scopes: readonly Scope[],
      ended: { readonly expiresAt?: Date; readonly revokedAt?: Date } = {},
    ) {
      const id = randomUUID();
      const token = `zpk_${randomBytes(32).toString('base64url')}`;
      const row = { id, userId, name: 'matrix', hash: hashToken(token), scopes: [...scopes] };
      await prisma.apiToken.create({ data: { ...row, ...ended } });
      return { id, token };
    },
  };
}

const SUSPENSION = { type: 'entitlement.suspended', order: 1, reason: 'payment_due' };

/** A life that was led before, as far as it is wanted. */
function lead(target: Power) {
  if (target === 'failed') {
    const life = begin();
    life.fail('host', false);
    return life;
  }
  const life = serve();
  if (target === 'running') return life;
  life.send(power('stop'));
  life.answer('container.stopped');
  return life;
}

function createContainers({ database }: TestApp) {
  const store = createInstanceStore(database.pool);
  let vmid = 20_000;
  return {
    async create(target: Power, who: Who): Promise<string> {
      vmid += 1;
      const id = `${vmid}-matrix`;
      const customerId = USERS[who];
      const hostname = `terraria-${vmid}`;
      const isUnpaid = who === 'suspended';
      // What is not paid for has been stopped.
      const life = lead(isUnpaid && target === 'running' ? 'stopped' : target);
      if (isUnpaid) life.send(SUSPENSION);
      const { value, context } = life.state;
      const own = { id, vmid, customerId, hostname, engineType: 'terraria' };
      const input = { ...sampleInput(own), at: Date.now() };
      const birth = { kind: 'instance', id, input, eventId: 'created', at: input.at };
      const step = planBirth(definitions.instance, birth);
      const payload = { ...context.payload, game: 'terraria' };
      const snapshot = { ...step.snapshot, value, context: { ...context, ...own, payload } };
      await store.create({ vmid, step: { ...step, snapshot, effects: [], arms: [] } });
      return String(vmid);
    },
  };
}

async function isUntouched({ database }: TestApp, target: Target, id: string): Promise<boolean> {
  if (target === 'account' || target === 'refresh_token') return true;
  const text =
    target === 'session' || target === 'api_token'
      ? `SELECT 1 FROM ${target} WHERE id = $1 AND revoked_at IS NULL`
      : 'SELECT 1 FROM container_instance WHERE vmid = $1 AND version = 1';
  return (await database.pool.query(text, [id])).rows.length === 1;
}
