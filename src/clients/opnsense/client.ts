/**
 * Port forwards on an OPNsense firewall, by its API for destination NAT:
 * https://docs.opnsense.org/development/api/core/firewall.html
 * What is saved has no effect before `apply`, so every change ends with one, also a change that is
 * found done: whoever made it may have died in between.
 */
import { z } from 'zod';

import { InvalidInputError } from '../../errors.ts';
import {
  type Call,
  type CallOptions,
  createExchange,
  measure,
  parseJson,
  type Reachability,
} from '../exchange.ts';
import { answerFailure, opnsenseError, transportFailure } from './failure.ts';
import {
  bodyOf,
  type Entrance,
  type FoundForward,
  idOf,
  isEqual,
  isRival,
  isSamePlace,
  row,
  type WantedForward,
} from './rules.ts';
import { shareRuns, unlessAborted } from './share-runs.ts';

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const PAGE_SIZE = 500;
/** More pages than a firewall has rules for: who gets here is being led around in circles. */
const PAGES_MAX = 1000;
const BASE = '/api/firewall/d_nat';

/** All but `check` throw UpstreamError with a reason of failure.ts. */
export interface OpnsenseClient extends AsyncDisposable {
  /**
   * Afterwards this port leads there, in effect. Twice is once. A description may have several
   * ports; each is ensured by itself.
   * @throws UpstreamError `forward_foreign` if a rule of another description takes the port.
   */
  ensureForward(
    wanted: WantedForward,
    options?: CallOptions,
  ): Promise<'unchanged' | 'created' | 'replaced'>;
  /** How many were removed: all of that description. Twice is once. */
  removeForwards(which: { readonly description: string }, options?: CallOptions): Promise<number>;
  /** All that somebody has made, ours or not. Saved is not yet in effect. */
  listForwards(options?: CallOptions): Promise<FoundForward[]>;
  /** Is it there, and does it know us? Asks something cheap; does not throw. */
  check(options?: CallOptions): Promise<Reachability>;
}

export interface OpnsenseClientOptions {
  /** `https://firewall.internal` */
  readonly baseUrl: URL;
  readonly key: string;
  readonly secret: string;
  /** The interface called WAN and its own address when left out. */
  readonly entrance?: Entrance;
  readonly timeoutMs: number;
  /** PEM. Only certificates of this authority (or this very one) are accepted. */
  readonly ca?: string | undefined;
  readonly pageSize?: number;
  /** A monotonic clock in ms. */
  readonly now?: () => number;
}

const page = z.object({ total: z.number(), rows: z.array(row) });
const saved = z.object({ result: z.literal('saved') });
const deleted = z.object({ result: z.enum(['deleted', 'not found']) });
const applied = z.object({ status: z.string() });

export function createOpnsenseClient(options: OpnsenseClientOptions): OpnsenseClient {
  const { pageSize = PAGE_SIZE, now = () => performance.now() } = options;
  const entrance = options.entrance ?? { interface: 'wan', destination: 'wanip' };
  const { ask, exchange } = createCalls(options);

  function readPage(current: number, rowCount: number, { signal }: CallOptions) {
    const query = { current: String(current), rowCount: String(rowCount) };
    return ask(page, { method: 'GET', path: `${BASE}/searchRule`, query, signal });
  }

  async function list(call: CallOptions = {}): Promise<FoundForward[]> {
    const found = new Map<string, FoundForward>();
    for (let current = 1; current <= PAGES_MAX; current += 1) {
      const { total, rows } = await readPage(current, pageSize, call);
      // The rules that OPNsense makes for itself stand on every page, also beyond the last.
      const made = rows.filter(({ isAutomatic }) => !isAutomatic);
      for (const { forward } of made) found.set(forward.id, forward);
      if (made.length === 0 || current * pageSize >= total) return [...found.values()];
    }
    throw opnsenseError('answer_too_large', `GET ${BASE}/searchRule`);
  }

  // It serves others too, so no caller's signal ends it; its own deadline does.
  const apply = shareRuns(async () => {
    const path = `${BASE}/apply`;
    const { status } = await ask(applied, { method: 'POST', path, body: '{}' });
    if (status.trim().toLowerCase() === 'ok') return;
    throw opnsenseError('apply_failed', `POST ${path}`, { cause: new Error(status.slice(0, 200)) });
  });

  async function put(id: string, wanted: WantedForward, { signal }: CallOptions): Promise<void> {
    const path = `${BASE}/setRule/${id}`;
    await ask(saved, { method: 'POST', path, body: bodyOf(wanted, entrance), signal });
  }

  return {
    async ensureForward(wanted, call = {}) {
      checkDescription(wanted);
      const all = await list(call);
      if (all.some((found) => isRival(found, wanted, entrance)))
        throw opnsenseError('forward_foreign', `${wanted.protocol} ${wanted.port}`);
      const ours = all.find((found) => isSamePlace(found, wanted));
      const isDone = ours !== undefined && isEqual(ours, wanted, entrance);
      if (!isDone) await put(ours?.id ?? idOf(wanted), wanted, call);
      await unlessAborted(apply(), call.signal);
      if (isDone) return 'unchanged';
      return ours ? 'replaced' : 'created';
    },
    async removeForwards(which, call = {}) {
      checkDescription(which);
      const all = await list(call);
      const ours = all.filter(({ description }) => description === which.description);
      for (const { id } of ours) {
        const path = `${BASE}/delRule/${encodeURIComponent(id)}`;
        await ask(deleted, { method: 'POST', path, body: '{}', signal: call.signal });
      }
      await unlessAborted(apply(), call.signal);
      return ours.length;
    },
    listForwards: list,
    check: (call = {}) => measure(() => readPage(1, 1, call), now),
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

function createCalls({ baseUrl, key, secret, timeoutMs, ca }: OpnsenseClientOptions) {
  const basic = Buffer.from(`${key}:${secret}`).toString('base64');
  const exchange = createExchange({
    baseUrl,
    timeoutMs,
    headers: { authorization: `Basic ${basic}` },
    answerBytesMax: ANSWER_BYTES_MAX,
    connectionsMax: 4,
    ca,
  });

  async function ask<T extends z.ZodType>(
    schema: T,
    call: Omit<Call, 'isRead'>,
  ): Promise<z.output<T>> {
    const what = `${call.method} ${call.path}`;
    const isRead = call.method === 'GET';
    const answer = await exchange.send({ ...call, isRead }).catch((error: unknown) => {
      call.signal?.throwIfAborted();
      throw transportFailure(what, error);
    });
    const parsed = schema.safeParse(parseJson(answer.text));
    if (answer.status >= 200 && answer.status <= 299 && parsed.success) return parsed.data;
    throw answerFailure(what, answer);
  }

  return { ask, exchange };
}

/** Without one, every rule that has none would seem to be ours. */
function checkDescription({ description }: { readonly description: string }): void {
  if (description.trim() === '') throw new InvalidInputError('a forward has a description');
}
