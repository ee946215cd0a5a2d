import { Agent, type Dispatcher, request } from 'undici';
import { z } from 'zod';

import { answerFailure, isReset, proxmoxError, transportFailure } from './failure.ts';

/** Ten thousand containers in /cluster/resources come to about 5 MB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const CONNECTIONS_MAX = 16;

type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below `/api2/json`, as a template: "/nodes/pve/lxc/101/status/current". */
  readonly path: string;
  /** The query of a GET or DELETE (which may have no body), the form of a POST or PUT. */
  readonly parameters?: Parameters;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly data: unknown;
  readonly total: number | undefined;
}

export interface Transport extends AsyncDisposable {
  /** @throws UpstreamError if the answer is not 2xx, not readable, or does not come. */
  call(call: Call): Promise<Answer>;
  /** A monotonic clock in ms, for {@link serverTimeS}. */
  now(): number;
  /** The server's clock in seconds, when ours showed that; undefined before the first answer. */
  serverTimeS(nowMs: number): number | undefined;
}

export interface TransportOptions {
  readonly baseUrl: URL;
  /** `user@realm!token` */
  readonly tokenId: string;
  readonly tokenSecret: string;
  /** PEM. Only certificates of this authority (or this very one) are accepted. */
  readonly ca?: string | undefined;
  /** Accepts any certificate: whoever sits in between then gets the token. */
  readonly insecureTls?: boolean | undefined;
  readonly timeoutMs: number;
  readonly now?: (() => number) | undefined;
}

const envelope = z.object({ data: z.unknown(), total: z.number().optional().catch(undefined) });

export function createTransport(options: TransportOptions): Transport {
  const { tokenId, tokenSecret, timeoutMs, now = () => performance.now() } = options;
  const base = baseOf(options.baseUrl);
  const headers = { authorization: `PVEAPIToken=${tokenId}=${tokenSecret}` };
  const dispatcher = createPool(options);
  let offsetMs: number | undefined;

  function noteClock(date: string | string[] | undefined): void {
    const serverMs = Date.parse(String(date));
    if (!Number.isNaN(serverMs)) offsetMs = serverMs - now();
  }

  async function ask(what: string, { method, path, parameters = {}, signal }: Call) {
    const form = formOf(parameters);
    const inBody = method === 'POST' || method === 'PUT';
    const timeout = AbortSignal.timeout(timeoutMs);
    const answer = await request(`${base}${path}${inBody || !form ? '' : `?${form}`}`, {
      dispatcher,
      method,
      headers: inBody
        ? { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
        : headers,
      body: inBody ? form : null,
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    });
    const { date } = answer.headers;
    noteClock(date);
    const body = await readText(what, answer.body);
    return { status: answer.statusCode, statusText: answer.statusText, body };
  }

  return {
    now,
    serverTimeS: (nowMs) =>
      offsetMs === undefined ? undefined : Math.floor((nowMs + offsetMs) / 1000),
    async call(call) {
      const what = `${call.method} ${call.path}`;
      const answer = await ask(what, call)
        .catch((error: unknown) => {
          // Reading twice changes nothing; asking twice for work might do it twice.
          if (call.method === 'GET' && isReset(error)) return ask(what, call);
          throw error;
        })
        .catch((error: unknown) => {
          throw transportFailure(what, error);
        });
      if (answer.status < 200 || answer.status > 299) throw answerFailure(what, answer);
      return readEnvelope(what, answer.body);
    },
    // Not gracefully: a node that ends does not wait for a Proxmox that hangs.
    [Symbol.asyncDispose]: () => dispatcher.destroy(),
  };
}

function createPool({ ca, insecureTls = false }: TransportOptions): Agent {
  return new Agent({
    connections: CONNECTIONS_MAX,
    connect: { rejectUnauthorized: !insecureTls, ...(ca === undefined ? {} : { ca }) },
  });
}

function baseOf({ origin, pathname }: URL): string {
  const path = pathname.replace(/\/+$/, '');
  return `${origin}${path.endsWith('/api2/json') ? path : `${path}/api2/json`}`;
}

function formOf(parameters: Parameters): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined)
      form.set(name, String(typeof value === 'boolean' ? Number(value) : value));
  return form.toString();
}

async function readText(what: string, body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw proxmoxError('answer_too_large', what);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function readEnvelope(what: string, body: string): Answer {
  try {
    const { data, total } = envelope.parse(JSON.parse(body));
    return { data, total };
  } catch {
    throw proxmoxError('answer_unreadable', what);
  }
}

/** The answer's data in the shape of `schema`; Perl may write a number as a string. */
export function readData<T extends z.ZodType>(
  schema: T,
  { data }: Answer,
  what: string,
): z.output<T> {
  const parsed = schema.safeParse(data);
  if (parsed.success) return parsed.data;
  throw proxmoxError('answer_unreadable', what, {
    cause: new Error(z.prettifyError(parsed.error)),
  });
}
