import { randomBytes } from 'node:crypto';
import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http';

import express, { type Request, type RequestHandler, type Response, type Router } from 'express';

import { NotFoundError } from '../errors.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Authenticate } from './auth/principal.ts';
import { createDocsRouter } from './docs.ts';
import { type AnyEndpoint, createRouter } from './endpoint.ts';
import type { Ide } from './ide/ide.ts';
import { describeApi } from './openapi.ts';
import { createProblemHandler } from './problem.ts';
import { awaitReaders, endUnread } from './request-stream.ts';

const IDLE_SWEEP_MS = 20;
const EXPOSED = [
  'Accept-Ranges',
  'Content-Disposition',
  'Content-Length',
  'Content-Range',
  'ETag',
  'Location',
  'Repr-Digest',
  'Retry-After',
  'X-Request-Id',
].join(', ');
/** What their requests are counted as: the paths are the containers'. */
const IDE_ROUTE = '/__ide';
export const API_VERSION = '0.1.0';

export interface HttpOptions extends FrameOptions {
  readonly endpoints: readonly AnyEndpoint[];
  readonly authenticate: Authenticate;
  readonly corsOrigins: readonly string[];
  /** Whose X-Forwarded-For is believed; nobody's if it is left out. */
  readonly trustedProxies?: string | undefined;
  /** docs/problems.md */
  readonly problems: string;
  /** What is answered before the API looks at it, whatever its path. */
  readonly ide?: Pick<Ide, 'claims' | 'answer'>;
  /** What is for browsers: whatever is no part of the API is theirs. */
  readonly pages?: readonly RequestHandler[];
}

export interface FrameOptions {
  readonly logger: Logger;
  /** Hears of every request that was answered. */
  readonly onRequest?: (request: AnsweredRequest) => void;
  readonly metrics?: Router;
}

export interface AnsweredRequest {
  readonly method: string;
  /** The pattern of the route that answered; `unmatched` if none did. */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

export function createHttpApp(options: HttpOptions): express.Express {
  const { endpoints, authenticate, corsOrigins, problems, pages = [], ide } = options;
  const { trustedProxies } = options;
  const answerOrigin = answerOrigins(corsOrigins);
  const answerFirst: typeof answerOrigin = (request, response) => {
    if (!ide?.claims(request)) return answerOrigin(request, response);
    request.route = { path: IDE_ROUTE };
    ide.answer(request, response);
    return true;
  };
  const app = createFrame(options, answerFirst, [
    ...createRouter(endpoints, authenticate),
    createDocsRouter(() => describeApi(endpoints, API_VERSION), problems),
    ...pages,
  ]);
  if (trustedProxies !== undefined) app.set('trust proxy', trustedProxies);
  return app;
}

/** For a process without API, which has metrics all the same. */
export const createMetricsApp = (options: FrameOptions): express.Express =>
  createFrame(options, () => false, []);

function createFrame(
  { logger, onRequest, metrics }: FrameOptions,
  answerFirst: (request: Request, response: Response) => boolean,
  handlers: readonly RequestHandler[],
): express.Express {
  const app = express();
  app.disable('x-powered-by');
  // Our answers carry their own validators where they need any; hashing every body costs a third.
  app.set('etag', false);
  const identify = createIdentification(logger, onRequest);
  // One step, not two: what Express does for each costs more than these do.
  const begin: RequestHandler = (request, response, next) => {
    identify(request, response);
    if (!answerFirst(request, response)) next();
  };
  app.use(begin, ...handlers, ...(metrics ? [metrics] : []));
  app.use((request) => {
    throw new NotFoundError(`there is no ${request.method} ${request.path}`);
  });
  app.use(createProblemHandler(logger));
  return app;
}

/** Gives every request an id, under which its log line and its problem can be found. */
function createIdentification(logger: Logger, onRequest: FrameOptions['onRequest']) {
  // Its members are these five, and none can hold a secret: there is nothing to look for.
  const requests = logger.child({}, { redact: [] });
  const startId = randomBytes(9).toString('base64url');
  let requestSeq = 0;
  return (request: Request, response: Response): void => {
    requestSeq += 1;
    const requestId = `${startId}-${requestSeq}`;
    const startedAt = performance.now();
    const { method, path } = request;
    response.locals['requestId'] = requestId;
    response.setHeader('X-Request-Id', requestId);
    response.on('finish', () => {
      endUnread(request);
      const ms = performance.now() - startedAt;
      const { statusCode: status } = response;
      requests.info({ requestId, method, path, status, ms: Math.round(ms) }, 'request');
      const route: unknown = request.route?.path;
      onRequest?.({ method, route: typeof route === 'string' ? route : 'unmatched', status, ms });
    });
  };
}

/** The Portal sends a bearer token and no cookie, so no credentials are allowed. */
function answerOrigins(origins: readonly string[]) {
  /** true: it was a question about origins, and is answered. */
  return ({ method, headers: { origin } }: Request, response: Response): boolean => {
    response.setHeader('Vary', 'Origin');
    if (origin === undefined || !origins.includes(origin)) return false;
    response.set('Access-Control-Allow-Origin', origin);
    if (method !== 'OPTIONS') {
      response.set('Access-Control-Expose-Headers', EXPOSED);
      return false;
    }
    response
      .set('Access-Control-Allow-Methods', 'GET, POST, PUT, PATCH, DELETE')
      .set(
        'Access-Control-Allow-Headers',
        'Content-Type, Authorization, Idempotency-Key, Prefer, Last-Event-ID, ' +
          'If-Match, If-None-Match, If-Range, Range, Want-Repr-Digest',
      )
      .set('Access-Control-Max-Age', '600')
      .status(204)
      .end();
    return true;
  };
}

/**
 * Express gives each request and response its own prototype, which costs more than all its routing.
 * Those of these classes are born with it.
 */
function classesFor(app: express.Express) {
  class AppRequest extends IncomingMessage {}
  class AppResponse<R extends IncomingMessage> extends ServerResponse<R> {}
  Object.setPrototypeOf(AppRequest.prototype, app.request);
  Object.setPrototypeOf(AppResponse.prototype, app.response);
  app.request = AppRequest.prototype as Request;
  app.response = AppResponse.prototype as Response;
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

export interface Listening extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
}

/** Listens; disposing lets the requests in flight end and then closes. */
export async function listen(
  app: express.Express,
  { host, port }: { readonly host: string; readonly port: number },
  attach: (server: Server) => void = () => {},
): Promise<Listening> {
  // An upload takes as long as it does, and ends when nothing moves any more. Headers keep the limit
  // of Node, other bodies have that of request-stream.ts.
  const server = createServer({ ...classesFor(app), requestTimeout: 0 }, app);
  awaitReaders(server, app);
  attach(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  return {
    server,
    url: `http://${host}:${bound}`,
    async [Symbol.asyncDispose]() {
      // A connection that is kept alive after its last answer would keep the server open, too.
      const sweeping = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
      await new Promise((resolve) => server.close(resolve));
      clearInterval(sweeping);
    },
  };
}
