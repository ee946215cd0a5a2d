import { timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';

import { readJson, writeJson } from '../proxmox/files.ts';
import {
  type RateLimit,
  type StandIn,
  type StandInAnswer,
  type StandInRequest,
  startStandIn,
} from '../stand-in.ts';
import { type Account, eventOf, newId, type Price, type Rules } from './account.ts';
import { DAY_S } from './calendar.ts';
import { checkoutRoutes, setCard } from './checkout.ts';
import { createClock } from './clock.ts';
import { catalogueRoutes, customerRoutes } from './customers.ts';
import { expand } from './expand.ts';
import { readForm } from './form.ts';
import { once } from './idempotency.ts';
import { invoiceRoutes } from './invoices.ts';
import { openPage } from './pages.ts';
import { portalRoutes } from './portal.ts';
import { invalid, Refusal } from './refusal.ts';
import { matchRoute } from './route.ts';
import { scheduleRoutes } from './schedules.ts';
import { type Card, freshState, state as stateSchema } from './state.ts';
import { subscriptionRoutes } from './subscriptions.ts';
import { startWebhooks, type Webhooks } from './webhooks.ts';

/** A call of the API that was let in, as tests look at them. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly key: string | undefined;
  readonly version: string | undefined;
  readonly status: number;
  /** Answered from memory, since the key was known. */
  readonly isReplay: boolean;
}

/** A running stand-in for the subscriptions of one account at Stripe. */
export interface StripeLab extends StandIn {
  readonly secretKey: string;
  readonly webhookSecret: string;
  readonly webhooks: Webhooks;
  /** Unix ms, by the account's own clock, which begins with everybody else's. */
  now(): number;
  /** Lets time pass: everything that falls due meanwhile happens, in its order. */
  advance(ms: number): void;
  /** As the customer would, in the portal. */
  setCard(customerId: string, card: Card): void;
  calls(): readonly Call[];
}

export interface StripeOptions {
  /** Everything lives here; started there again, it is the same account with the same secrets. */
  readonly dataDir: string;
  readonly port?: number;
  readonly limit?: RateLimit;
  /** Where events are posted to. */
  readonly webhookUrl?: string;
  /** By id: its name, and what it costs a month in cents. */
  readonly prices?: Readonly<Record<string, { readonly name: string; readonly amount: number }>>;
  readonly rules?: Partial<Rules>;
  /** The pause after an event's first failed delivery; it doubles with each. */
  readonly webhookRetryMs?: number;
  readonly webhookAttemptsMax?: number;
}

const PRICES = {
  price_small: { name: 'Small', amount: 500 },
  price_medium: { name: 'Medium', amount: 1_000 },
  price_large: { name: 'Large', amount: 2_000 },
};
const RULES: Rules = { retries: 3, retryAfterS: 3 * DAY_S, afterRetries: 'cancel' };
const ROUTES = [
  ...customerRoutes,
  ...catalogueRoutes,
  ...checkoutRoutes,
  ...subscriptionRoutes,
  ...scheduleRoutes,
  ...invoiceRoutes,
  ...portalRoutes,
];
const CALLS_MAX = 10_000;
/** The original forgets them after a month. */
const EVENTS_MAX = 5_000;
const SAVE_SOON_MS = 500;

export async function startStripe(options: StripeOptions): Promise<StripeLab> {
  const file = join(options.dataDir, 'stripe.json');
  const state = readJson(file, stateSchema) ?? freshState();
  let saving: NodeJS.Timeout | undefined;
  const save = () => {
    clearTimeout(saving);
    saving = undefined;
    writeJson(file, state);
  };
  /** What is delivered and not written down yet would only be delivered again. */
  const saveSoon = () => {
    saving ??= setTimeout(save, SAVE_SOON_MS).unref();
  };
  save();
  const calls: Call[] = [];
  let isChanged = false;
  const clock = createClock(state, Date.now);
  const webhooks = startWebhooks({
    state,
    save: saveSoon,
    url: options.webhookUrl,
    retryMs: options.webhookRetryMs ?? 1_000,
    attemptsMax: options.webhookAttemptsMax ?? 8,
    realNow: Date.now,
  });
  const account: Account = {
    state,
    rules: { ...RULES, ...options.rules },
    prices: pricesOf(options.prices ?? PRICES),
    now: clock.now,
    newId,
    pageUrl: (path) => `${standIn.url.origin}${path}`,
    emit(type, object, previous) {
      const event = eventOf(clock, { type, object, previous });
      state.events.push(event);
      if (state.events.length > EVENTS_MAX) state.events.shift();
      webhooks.add(event);
      isChanged = true;
    },
  };
  const standIn = await startStandIn({
    port: options.port,
    limit: options.limit,
    tooMany: (waitS) =>
      new Refusal(429, { code: 'rate_limit', message: 'Too many requests.' }).answer({
        'retry-after': String(waitS),
      }),
    answer(request) {
      clock.settle(account);
      const answer = request.path.startsWith('/v1/')
        ? answerApi(account, request, calls)
        : answerPage(account, request, advance);
      if (isChanged || request.method !== 'GET') save();
      isChanged = false;
      return answer;
    },
  });

  function advance(ms: number): void {
    clock.advance(account, ms);
    save();
  }

  return {
    ...standIn,
    secretKey: state.secretKey,
    webhookSecret: state.webhookSecret,
    webhooks,
    now: () => clock.now() * 1000,
    advance,
    setCard(customerId, card) {
      setCard(account, customerId, card);
      save();
    },
    calls: () => calls,
    async [Symbol.asyncDispose]() {
      await webhooks[Symbol.asyncDispose]();
      await standIn[Symbol.asyncDispose]();
      if (saving) save();
    },
  };
}

const pricesOf = (prices: NonNullable<StripeOptions['prices']>): readonly Price[] =>
  Object.entries(prices).map(([id, { name, amount }]) => ({
    id,
    product: id.replace(/^(price_)?/, 'prod_'),
    name,
    amount,
  }));

function answerApi(account: Account, request: StandInRequest, calls: Call[]): StandInAnswer {
  const { method, path, headers } = request;
  const requestId = { 'request-id': newId('req') };
  const answer = ((): StandInAnswer => {
    try {
      checkKey(headers.authorization, account.state.secretKey);
      checkVersion(headers['stripe-version']);
      const perform = () => performCall(account, request);
      return method === 'POST' ? once(account, request, perform) : perform();
    } catch (error) {
      if (error instanceof Refusal) return error.answer();
      throw error;
    }
  })();
  calls.push({
    method,
    path,
    key: textOf(headers['idempotency-key']),
    version: textOf(headers['stripe-version']),
    status: answer.status,
    isReplay: answer.headers?.['idempotent-replayed'] === 'true',
  });
  if (calls.length > CALLS_MAX) calls.shift();
  return { ...answer, headers: { ...requestId, ...answer.headers } };
}

function performCall(account: Account, request: StandInRequest): StandInAnswer {
  const { method, path, query, body } = request;
  const matched = matchRoute(ROUTES, method, path);
  if (!matched)
    throw new Refusal(404, { message: `Unrecognized request URL (${method}: ${path}).` });
  const form = readForm(method === 'GET' ? query.toString() : body);
  const names = Array.isArray(form['expand']) ? form['expand'].map(String) : [];
  try {
    const found = matched.route.run(account, { id: matched.id, form });
    return { status: 200, body: expand(account, found, names) };
  } catch (error) {
    // One that was declined is an outcome, which is kept under the request's key.
    if (error instanceof Refusal && error.status === 402) return error.answer();
    throw error;
  }
}

function answerPage(
  account: Account,
  { method, path, body }: StandInRequest,
  advance: (ms: number) => void,
): StandInAnswer {
  const page = openPage({ account, advance }, { method, path, form: readForm(body) });
  if (!page) return { status: 404, body: { error: { message: 'there is no such page' } } };
  if ('location' in page) return { status: 303, body: {}, headers: { location: page.location } };
  const headers = { 'content-type': 'text/html; charset=utf-8' };
  return { status: page.status, body: {}, text: page.html, headers };
}

const textOf = (header: string | string[] | undefined): string | undefined =>
  typeof header === 'string' ? header : undefined;

/** As a bearer's token, or as the user's name. */
function checkKey(header: string | undefined, key: string): void {
  const [scheme = '', said = ''] = (header ?? '').split(' ');
  const isBasic = scheme.toLowerCase() === 'basic';
  const given = isBasic ? (Buffer.from(said, 'base64').toString().split(':')[0] ?? '') : said;
  if (!given) throw new Refusal(401, { message: 'You did not provide an API key.' });
  const [one, other] = [Buffer.from(given), Buffer.from(key)];
  if (one.length === other.length && timingSafeEqual(one, other)) return;
  const shown = `${given.slice(0, 8)}${'*'.repeat(8)}${given.slice(-4)}`;
  throw new Refusal(401, { message: `Invalid API Key provided: ${shown}` });
}

/** Before this one, the period was the subscription's and not its item's. */
const VERSION_MIN = '2025-03-31';

function checkVersion(header: string | string[] | undefined): void {
  if (header === undefined) return;
  const [date] = String(header).split('.');
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date ?? '') || (date ?? '') < VERSION_MIN)
    throw invalid(`Invalid Stripe API version: ${header}`);
}
