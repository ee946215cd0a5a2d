import { Agent, type Dispatcher, request } from 'undici';

import { answerFailure, isReset, transportFailure, velocityError } from './failure.ts';
import { hashSecret, SECRET_HEADER } from './secret.ts';

/** A proxy with ten thousand servers lists them in about 1 MB. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const CONNECTIONS_MAX = 4;
/** Shorter than the HTTP server of Java keeps an idle connection, so that we close it first. */
const KEEP_ALIVE_MS = 10_000;

export interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface Transport extends AsyncDisposable {
  /**
   * The parsed JSON of an answer, or undefined if it was none.
   * @throws UpstreamError if it is not 2xx or does not come; the signal's own reason if the
   * caller gave up.
   */
  call(call: Call): Promise<unknown>;
}

export interface TransportOptions {
  readonly baseUrl: URL;
  /** Shared with the bridge; only its hash is sent. */
  readonly secret: string;
  /** Of each call to the bridge. */
  readonly timeoutMs: number;
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function createTransport({ baseUrl, secret, timeoutMs }: TransportOptions): Transport {
  const base = `${baseUrl.origin}${baseUrl.pathname.replace(/\/+$/, '')}`;
  const hash = hashSecret(secret);
  const dispatcher = new Agent({
    connections: CONNECTIONS_MAX,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });

  async function ask(what: string, { method, path, body, signal }: Call): Promise<Answer> {
    const timeout = AbortSignal.timeout(timeoutMs);
    const hasBody = body !== undefined;
    const answer = await request(`${base}${path}`, {
      dispatcher,
      method,
      headers: {
        [SECRET_HEADER]: hash,
        ...(hasBody ? { 'content-type': 'application/json' } : {}),
      },
      body: hasBody ? JSON.stringify(body) : null,
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    });
    const text = await readText(what, answer.body);
    // Whatever repeats our header to us must not carry it into an error.
    return { status: answer.statusCode, body: parse(text.replaceAll(hash, '[secret]')) };
  }

  return {
    async call(call) {
      const what = `${call.method} ${call.path}`;
      call.signal?.throwIfAborted();
      const { status, body } = await ask(what, call)
        .catch((error: unknown) => {
          // Reading twice changes nothing; an order is never sent twice.
          if (call.method === 'GET' && isReset(error)) return ask(what, call);
          throw error;
        })
        .catch((error: unknown) => {
          call.signal?.throwIfAborted();
          throw transportFailure(what, error);
        });
      if (status < 200 || status > 299) throw answerFailure(what, status, body);
      return body;
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}

async function readText(what: string, body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw velocityError('answer_too_large', what);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
