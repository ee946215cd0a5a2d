import { createHmac } from 'node:crypto';

import type { Event, State, Undelivered } from './state.ts';
import { eventView } from './views.ts';

/** An attempt to deliver an event, and what it was answered with; null: not at all. */
export interface Delivery {
  readonly eventId: string;
  readonly type: string;
  readonly attempt: number;
  readonly status: number | null;
}

export interface Webhooks extends AsyncDisposable {
  /** Where events go from now on; undefined: nowhere, and they wait. */
  sendTo(url: string | undefined): void;
  /** What happens meanwhile waits. */
  pause(): void;
  resume(): void;
  /** Sends once more what was sent before: these events, or all of them. */
  repeat(eventIds?: readonly string[]): void;
  /** Puts what waits into another order, the same for the same seed. */
  shuffle(seed: number): void;
  /** Every attempt since the start, in its order. */
  sent(): readonly Delivery[];
  /** How many events wait, or are on their way. */
  waiting(): number;
}

interface Options {
  readonly state: Pick<State, 'events' | 'undelivered' | 'webhookSecret'>;
  readonly save: () => void;
  readonly url: string | undefined;
  /** The pause after the first attempt that fails; it doubles with each. */
  readonly retryMs: number;
  readonly attemptsMax: number;
  /** The clock of the world, by which signatures are judged. */
  readonly realNow: () => number;
}

export interface Outbox extends Webhooks {
  add(event: Event): void;
}

const PAUSE_MAX_MS = 60_000;
const TIMEOUT_MS = 10_000;
const SENT_MAX = 10_000;

export function startWebhooks(options: Options): Outbox {
  const { state, save, retryMs, attemptsMax, realNow } = options;
  const closing = new AbortController();
  const due = new WeakMap<Undelivered, number>();
  const sent: Delivery[] = [];
  let { url } = options;
  let isPaused = false;
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;

  async function deliver(to: string, entry: Undelivered, event: Event): Promise<void> {
    const status = await post(event, { ...options, to, closing: closing.signal });
    if (closing.signal.aborted) return;
    entry.attempts += 1;
    sent.push({ eventId: event.id, type: event.type, attempt: entry.attempts, status });
    if (sent.length > SENT_MAX) sent.shift();
    if ((status !== null && status >= 200 && status <= 299) || entry.attempts >= attemptsMax)
      state.undelivered = state.undelivered.filter((one) => one !== entry);
    else due.set(entry, realNow() + Math.min(PAUSE_MAX_MS, retryMs * 2 ** (entry.attempts - 1)));
    save();
  }

  async function run(): Promise<void> {
    while (!isPaused && !closing.signal.aborted && url !== undefined) {
      const at = realNow();
      const entry = state.undelivered.find((one) => (due.get(one) ?? 0) <= at);
      if (!entry) return wakeLater(at);
      const event = state.events.find(({ id }) => id === entry.event);
      if (event) await deliver(url, entry, event);
      else state.undelivered = state.undelivered.filter((one) => one !== entry);
    }
  }

  function wakeLater(at: number): void {
    if (state.undelivered.length === 0) return;
    const first = Math.min(...state.undelivered.map((one) => due.get(one) ?? 0));
    clearTimeout(timer);
    timer = setTimeout(kick, Math.max(1, first - at)).unref();
  }

  function kick(): void {
    running ??= run().finally(() => {
      running = undefined;
    });
  }

  // Whoever began to run has its answer before the first event leaves.
  const kickSoon = () => void setImmediate(kick).unref();
  kickSoon();
  return {
    sendTo(next) {
      url = next;
      kickSoon();
    },
    pause() {
      isPaused = true;
    },
    resume() {
      isPaused = false;
      kickSoon();
    },
    repeat(eventIds = sent.map(({ eventId }) => eventId)) {
      for (const event of new Set(eventIds)) state.undelivered.push({ event, attempts: 0 });
      save();
      kickSoon();
    },
    shuffle(seed) {
      state.undelivered = shuffled(state.undelivered, seed);
      save();
    },
    sent: () => sent,
    waiting: () => state.undelivered.length,
    add(event) {
      state.undelivered.push({ event: event.id, attempts: 0 });
      kickSoon();
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the stand-in ends'));
      clearTimeout(timer);
      await running;
    },
  };
}

/** null: no answer. */
async function post(
  event: Event,
  { to, state, realNow, closing }: Options & { readonly to: string; readonly closing: AbortSignal },
): Promise<number | null> {
  const body = JSON.stringify(eventView(event));
  const at = Math.floor(realNow() / 1000);
  const signature = createHmac('sha256', state.webhookSecret).update(`${at}.${body}`);
  const sending = fetch(to, {
    method: 'POST',
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'stripe-signature': `t=${at},v1=${signature.digest('hex')}`,
      'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
    },
    body,
    redirect: 'manual',
    signal: AbortSignal.any([closing, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  return sending
    .then(async ({ status, body: rest }) => {
      await rest?.cancel();
      return status;
    })
    .catch(() => null);
}

/** Fisher and Yates, with the numbers of a small linear generator. */
function shuffled<T>(all: readonly T[], seed: number): T[] {
  const rest = [...all];
  const mixed: T[] = [];
  let number = seed >>> 0;
  while (rest.length > 0) {
    number = (Math.imul(number, 1_664_525) + 1_013_904_223) >>> 0;
    mixed.push(...rest.splice(Math.floor((number / 2 ** 32) * rest.length), 1));
  }
  return mixed;
}
