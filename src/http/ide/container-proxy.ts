import { createHash } from 'node:crypto';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

import { createProxyMiddleware } from 'http-proxy-middleware';

import { UpstreamError } from '../../errors.ts';
import { headersFromContainer } from './from-container.ts';
import type { IdePlace } from './place.ts';

/** One exchange with a container, on its way. */
export interface Passage {
  readonly place: IdePlace;
  /** Where the container is asked, as `10.0.0.5:8080`. */
  readonly target: string;
  readonly host: string;
  /** Our own cookie, when it is to be set. */
  readonly cookie: string | null;
  /** Said once. Some of the answer may have been passed on already. */
  readonly onFailure: (error: UpstreamError) => void;
}

export interface ContainerProxy {
  /** The request's URL and headers must be those that the container is to see. */
  pass(request: IncomingMessage, response: ServerResponse, passage: Passage): void;
  passUpgrade(request: IncomingMessage, socket: Socket, head: Buffer, passage: Passage): void;
}

export interface ContainerProxyOptions {
  readonly answerTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Who else may show an IDE in a frame. */
  readonly framers: readonly string[];
}

/** Half-dead connections are found out about, though nothing has to be said on them. */
const KEEP_ALIVE_MS = 30_000;
/** Of RFC 6455. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/**
 * Passes requests on, each on a connection of its own: nothing that a container says too much on
 * one is taken for the answer to the next. What goes wrong is told by its code alone, for errors
 * hold the bytes of the answer, cookies included.
 */
export function createContainerProxy(options: ContainerProxyOptions): ContainerProxy {
  const { answerTimeoutMs, idleTimeoutMs, framers } = options;
  const passages = new WeakMap<IncomingMessage, Passage>();
  const answered = new WeakSet<IncomingMessage>();
  const failed = new WeakSet<IncomingMessage>();

  function passageOf(request: IncomingMessage): Passage {
    const passage = passages.get(request);
    if (!passage) throw new Error('a request is proxied that nobody has let through');
    return passage;
  }

  function clean(answer: IncomingMessage, request: IncomingMessage, isUpgrade: boolean): void {
    const passage = passageOf(request);
    answer.headers = headersFromContainer(answer.headers, { ...passage, framers, isUpgrade });
  }

  const proxy = createProxyMiddleware({
    router: (request) => `http://${passageOf(request).target}`,
    agent: false,
    proxyTimeout: idleTimeoutMs,
    upgradeTimeout: answerTimeoutMs,
    // Its own listeners would answer with what an error says.
    ejectPlugins: true,
    plugins: [
      (server) => {
        server.on('proxyReq', (asked, request) => {
          limitAnswer(asked, answerTimeoutMs);
          asked.once('close', () => {
            // Ended without an answer and without an error: it was agreed to an upgrade.
            if (!answered.has(request)) fail(request, 'no_answer_in_it');
          });
        });
        server.on('proxyRes', (answer, request) => {
          answered.add(request);
          clean(answer, request, false);
        });
        server.on('proxyReqWs', (asked, request, socket) => {
          asked.setTimeout(idleTimeoutMs, () => asked.destroy());
          asked.on('response', (answer) => clean(answer, request, false));
          asked.on('upgrade', (answer, upstream) => {
            if (isAccepted(request, answer)) {
              clean(answer, request, true);
            } else {
              fail(request, 'upgrade_wrong');
              socket.destroySoon();
              upstream.destroy();
            }
            tie(socket, upstream);
          });
          socket.once('close', () => asked.destroy());
        });
        server.on('error', (error, request) => {
          if (request) fail(request, (error as NodeJS.ErrnoException).code ?? 'unknown');
        });
      },
    ],
  });

  function fail(request: IncomingMessage, code: string): void {
    if (failed.has(request)) return;
    failed.add(request);
    const details = { reason: reasonOf(code) };
    passageOf(request).onFailure(
      new UpstreamError(`the IDE does not answer as it ought to: ${code}`, {
        ...{ reason: details.reason, retryable: true, details },
      }),
    );
  }

  return {
    pass(request, response, passage) {
      passages.set(request, passage);
      void proxy(request, response, () => fail(request, 'not_passed'));
    },
    passUpgrade(request, socket, head, passage) {
      passages.set(request, passage);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      proxy.upgrade(request, socket, head);
    },
  };
}

/** From the moment that it has all of the request. While that comes, `proxyTimeout` counts. */
function limitAnswer(asked: ClientRequest, answerTimeoutMs: number): void {
  asked.once('finish', () => {
    const late = setTimeout(() => asked.destroy(new TimedOut()), answerTimeoutMs);
    asked.once('response', () => clearTimeout(late));
    asked.once('close', () => clearTimeout(late));
  });
}

class TimedOut extends Error {
  readonly code = 'ETIMEDOUT';
}

/** Whoever has agreed to something else would be understood as if he had agreed to this. */
function isAccepted(request: IncomingMessage, { headers }: IncomingMessage): boolean {
  const key = String(request.headers['sec-websocket-key']);
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64');
  return (
    headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-accept'] === accept
  );
}

/** When one side has gone the other one goes. */
function tie(socket: Socket, upstream: Socket): void {
  upstream.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.once('close', () => upstream.destroy());
  upstream.once('close', () => socket.destroySoon());
}

const REASONS: Readonly<Record<string, string>> = {
  ...{ ECONNREFUSED: 'no_answer', EHOSTUNREACH: 'no_answer', ENETUNREACH: 'no_answer' },
  ...{ ETIMEDOUT: 'timed_out', ERR_UPSTREAM_UPGRADE_TIMEOUT: 'timed_out' },
  ...{ ECONNRESET: 'connection_lost', HPE_HEADER_OVERFLOW: 'answer_too_large' },
};
const reasonOf = (code: string): string => REASONS[code] ?? 'answer_unreadable';
