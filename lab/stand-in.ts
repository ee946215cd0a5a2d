/** What stand-ins for HTTP APIs share: a server on the loopback, planned faults and a limit. */
import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { createFaults, type FaultPlan, type FaultTarget } from './faults.ts';

export type HttpFault = FaultTarget & HttpFaultKind;

type HttpFaultKind =
  /** The connection breaks and nothing was done. */
  | { readonly kind: 'drop_before' }
  /** It was done, but the answer never arrives. */
  | { readonly kind: 'drop_after' }
  /** Nothing was done, and this is the answer. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly text: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'delay'; readonly ms: number }
  /** Neither done nor answered: the connection stays open. */
  | { readonly kind: 'hang' }
  /** Not done, and answered with something that is no JSON. */
  | { readonly kind: 'garbage' }
  /** Not done, and answered without an end. */
  | { readonly kind: 'huge' };

export interface StandInRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface StandInAnswer {
  readonly status: number;
  readonly body: unknown;
  /** Sent in place of `body`, for what is no JSON. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request as it arrived, for tests that count what a client sent. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  /** With its query, if it has one: nothing secret should stand here. */
  readonly url: string;
}

export interface RateLimit {
  readonly requestsMax: number;
  readonly windowMs: number;
}

export interface StandIn extends AsyncDisposable {
  readonly url: URL;
  readonly faults: FaultPlan<HttpFault>;
  requests(): readonly SeenRequest[];
  /** undefined lifts the limit. */
  limit(limit: RateLimit | undefined): void;
}

export interface StandInOptions {
  readonly port?: number | undefined;
  readonly answer: (request: StandInRequest) => StandInAnswer;
  /** The answer to one request too many. */
  readonly tooMany: (retryAfterS: number) => StandInAnswer;
  readonly limit?: RateLimit | undefined;
  readonly now?: (() => number) | undefined;
}

const REQUESTS_MAX = 10_000;
const BODY_BYTES_MAX = 512 * 1024;

export async function startStandIn(options: StandInOptions): Promise<StandIn> {
  const { port = 0, answer, tooMany, now = Date.now } = options;
  const faults = createFaults<HttpFault>();
  const requests: SeenRequest[] = [];
  const closing = new AbortController();
  let limit = options.limit;
  let window = { from: Number.NEGATIVE_INFINITY, count: 0 };

  /** Seconds to wait, or 0 if this one may pass. */
  function secondsToWait(): number {
    if (!limit) return 0;
    const at = now();
    if (at >= window.from + limit.windowMs) window = { from: at, count: 0 };
    window.count += 1;
    if (window.count <= limit.requestsMax) return 0;
    return Math.ceil((window.from + limit.windowMs - at) / 1000);
  }

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/', headers } = request;
    const { pathname: path, searchParams: query } = new URL(url, 'http://localhost');
    requests.push({ method, path, url });
    if (requests.length > REQUESTS_MAX) requests.shift();
    const body = await readText(request);
    const fault = faults.strike(method, path);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'drop_before') return void request.socket.destroy();
    if (fault?.kind === 'garbage') return void response.end('<html>Bad gateway</html>');
    if (fault?.kind === 'huge') return pour(response);
    if (fault?.kind === 'delay') await sleep(fault.ms, undefined, { signal: closing.signal });
    if (fault?.kind === 'status') {
      response.writeHead(fault.status, fault.headers).end(fault.text);
      return;
    }
    const waitS = secondsToWait();
    const outcome = waitS > 0 ? tooMany(waitS) : answer({ method, path, query, headers, body });
    if (fault?.kind === 'drop_after') return void request.socket.destroy();
    response.writeHead(outcome.status, { 'content-type': 'application/json', ...outcome.headers });
    response.end(outcome.text ?? JSON.stringify(outcome.body));
  }

  const server = createServer((request, response) => {
    respond(request, response).catch(() => request.socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    faults,
    requests: () => requests,
    limit(next) {
      limit = next;
      window = { from: Number.NEGATIVE_INFINITY, count: 0 };
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the stand-in ends'));
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Until the other side has had enough. */
async function pour(response: ServerResponse): Promise<void> {
  const piece = Buffer.alloc(256 * 1024, ' ');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  while (!response.destroyed && !gone.signal.aborted)
    if (!response.write(piece)) await once(response, 'drain', { signal: gone.signal });
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
