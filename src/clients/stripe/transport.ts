/**
 * How the SDK reaches Stripe: over our own exchange, so that a call has a deadline, a limit of size
 * and a way to fail like every other. The SDK's own sends a POST again by itself and waits for ever
 * for an answer that trickles.
 */
import Stripe from 'stripe';

import { createExchange, parseJson } from '../exchange.ts';
import { transportFailure, UNREADABLE } from './failure.ts';

/** A page of a hundred subscriptions with their schedules fits several times. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

export interface TransportOptions {
  readonly baseUrl: URL;
  readonly secretKey: string;
  readonly timeoutMs: number;
}

export interface Transport extends AsyncDisposable {
  /** Calls of an SDK with a signal end with it. */
  sdk(signal?: AbortSignal): Stripe;
}

type HttpClient = NonNullable<NonNullable<ConstructorParameters<typeof Stripe>[1]>['httpClient']>;
type Method = 'GET' | 'POST' | 'DELETE';

/** What the SDK says of the machine that it runs on stays here. */
const HEADERS = ['authorization', 'idempotency-key', 'stripe-version', 'user-agent'];

export function createTransport({ baseUrl, secretKey, timeoutMs }: TransportOptions): Transport {
  const exchange = createExchange({
    baseUrl,
    timeoutMs,
    answerBytesMax: ANSWER_BYTES_MAX,
    connectionsMax: 8,
  });

  const httpClient = (signal?: AbortSignal): HttpClient => ({
    getClientName: () => 'exchange',
    async makeRequest(_host, _port, path, method, headers, data) {
      const answer = await exchange
        .send({
          method: method as Method,
          path,
          headers: pick(headers),
          body: method === 'POST' ? new URLSearchParams(data) : undefined,
          isRead: method === 'GET',
          signal,
        })
        .catch((error: unknown) => {
          signal?.throwIfAborted();
          throw transportFailure(`${method} ${path.split('?')[0]}`, error);
        });
      const names = ['request-id', 'retry-after', 'idempotent-replayed'];
      const seen = names.map((name) => [name, answer.header(name)]).filter(([, value]) => value);
      return {
        getStatusCode: () => answer.status,
        getHeaders: () => Object.fromEntries(seen),
        getRawResponse: () => ({}),
        toStream: () => undefined,
        toJSON: () => Promise.resolve(readAnswer(answer)),
      };
    },
  });

  const sdk = (signal?: AbortSignal) =>
    new Stripe(secretKey, {
      httpClient: httpClient(signal),
      maxNetworkRetries: 0,
      telemetry: false,
    });
  const plain = sdk();
  return {
    sdk: (signal) => (signal ? sdk(signal) : plain),
    [Symbol.asyncDispose]: () => exchange[Symbol.asyncDispose](),
  };
}

function pick(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const all = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]);
  return Object.fromEntries(all.filter(([name]) => HEADERS.includes(name ?? '')));
}

/** What is no answer of Stripe's becomes an error that the SDK passes on with its status. */
function readAnswer({ status, text }: { status: number; text: string }): object {
  const answer = parseJson(text);
  const isObject = typeof answer === 'object' && answer !== null && !Array.isArray(answer);
  if (isObject && (status < 300 || 'error' in answer)) return answer;
  return { error: { type: UNREADABLE, message: 'the answer is not one of Stripe' } };
}
