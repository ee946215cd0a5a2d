/**
 * One call to a third party over a pool that keeps its connections: bounded in time and in size,
 * and a way to fail that says whether the request can have had an effect. What the answer means
 * is for the client to say, in its own failure.ts.
 */
import { Agent, type Dispatcher, request } from 'undici';

import { UpstreamError } from '../errors.ts';

/** Longer than the pause between two orders of a busy hour, shorter than servers keep theirs. */
const KEEP_ALIVE_MS = 15_000;

/** Why no answer came. Its key says whether asking again may help. */
export const TRANSPORT_REASONS = {
  /** No connection came about: the request has certainly had no effect. */
  not_connected: true,
  /** Asked, but nothing readable came back in time: what was asked for may well have happened. */
  no_answer: true,
  timed_out: true,
  answer_too_large: false,
  certificate_refused: false,
} as const satisfies Record<string, boolean>;

export type TransportReason = keyof typeof TRANSPORT_REASONS;

export interface CallOptions {
  /** Ends the call earlier than its own deadline; then its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

export interface Call extends CallOptions {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the base URL, with its leading slash. It is named in errors, so it holds no secret. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>> | undefined;
  /** Beside those that every call bears. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Text is JSON, parameters are a form. */
  readonly body?: string | URLSearchParams | undefined;
  /** Changes nothing, so it may be sent once more when a connection breaks. */
  readonly isRead: boolean;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly header: (name: string) => string | undefined;
}

export interface ExchangeOptions {
  readonly baseUrl: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
  readonly connectionsMax: number;
  /** PEM. Only certificates of this authority (or this very one) are accepted. */
  readonly ca?: string | undefined;
}

export interface Exchange extends AsyncDisposable {
  /**
   * Any answer is returned, whatever its status.
   * @throws what `explainTransport` can explain, or the reason of the caller's signal.
   */
  send(call: Call): Promise<Answer>;
}

export function createExchange(options: ExchangeOptions): Exchange {
  const { headers = {}, timeoutMs, answerBytesMax, connectionsMax, ca } = options;
  const { origin, pathname } = options.baseUrl;
  const base = `${origin}${pathname.replace(/\/+$/, '')}`;
  const dispatcher = new Agent({
    connections: connectionsMax,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...(ca === undefined ? {} : { connect: { ca } }),
  });

  async function ask({ method, path, query, body, signal, ...call }: Call): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const own = { ...headers, ...call.headers };
    const answer = await request(`${base}${path}${query ? `?${new URLSearchParams(query)}` : ''}`, {
      dispatcher,
      method,
      headers: body === undefined ? own : { ...own, 'content-type': typeOf(body) },
      body: body === undefined ? null : String(body),
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    });
    const text = await readText(answer.body, answerBytesMax);
    const header = (name: string) => String(answer.headers[name] ?? '') || undefined;
    return { status: answer.statusCode, text, header };
  }

  return {
    async send(call) {
      call.signal?.throwIfAborted();
      try {
        return await ask(call).catch((error: unknown) => {
          // The other side may close a connection that has idled, just as we write to it.
          if (call.isRead && RESET.test(traitsOf(error).code)) return ask(call);
          throw error;
        });
      } catch (error) {
        call.signal?.throwIfAborted();
        throw error;
      }
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}

export interface Reachability {
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly reason?: string;
}

/** No answer is an answer, so a failure of the other side is told and not thrown. */
export async function measure(
  asking: () => Promise<unknown>,
  now: () => number,
): Promise<Reachability> {
  const from = now();
  try {
    await asking();
    return { ok: true, latencyMs: now() - from };
  } catch (error) {
    if (!(error instanceof UpstreamError)) throw error;
    return { ok: false, latencyMs: now() - from, reason: error.reason };
  }
}

/** JSON, or undefined if it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const typeOf = (body: string | URLSearchParams): string =>
  typeof body === 'string' ? 'application/json' : 'application/x-www-form-urlencoded';

class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

async function readText(body: Dispatcher.ResponseData['body'], bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new AnswerTooLarge(`more than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/;
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^ERR_(TLS|SSL)/;
const RESET = /^(ECONNRESET|EPIPE|UND_ERR_SOCKET)$/;

/** The cause is rebuilt, so that nothing of the request (a token, a password) can hide in it. */
export function explainTransport(error: unknown): { reason: TransportReason; cause: Error } {
  const { name, code, message } = traitsOf(error);
  return { reason: reasonOf(name, code), cause: new Error(`${code || name}: ${message}`) };
}

function reasonOf(name: string, code: string): TransportReason {
  if (name === 'AnswerTooLarge') return 'answer_too_large';
  if (name === 'TimeoutError') return 'timed_out';
  if (NEVER_SENT.test(code)) return 'not_connected';
  return CERTIFICATE.test(code) ? 'certificate_refused' : 'no_answer';
}

function traitsOf(error: unknown): { name: string; code: string; message: string } {
  if (!(error instanceof Error)) return { name: 'Error', code: '', message: 'not an Error' };
  // The code of a DOMException is a number of old, which says nothing.
  const { code } = error as { code?: unknown };
  const { name, message } = error;
  return { name, code: typeof code === 'string' ? code : '', message };
}
