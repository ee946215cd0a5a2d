import type { ServerResponse } from 'node:http';

import express, { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';

import { type ErrorCode, InvalidInputError } from '../errors.ts';
import type { Authenticate, Principal } from './auth/principal.ts';
import type { CheckedJson } from './json.ts';

/** A body is checked and written; text has been checked before; a stream writes for itself. */
export type Reply = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
} & (
  | { readonly body: unknown }
  | { readonly json: CheckedJson }
  | { readonly stream: (response: ServerResponse) => void }
);

interface Input<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly params: z.output<P>;
  readonly query: z.output<Q>;
  readonly body: z.output<B>;
  readonly headers: {
    readonly idempotencyKey: string | null;
    readonly lastEventId: string | null;
    readonly ifNoneMatch: string | null;
    readonly waitS: number;
  };
  /** Ends when the client has gone. */
  readonly signal: AbortSignal;
}

/** A header of the request, by its name. */
type ReadHeader = (name: string) => string | undefined;

/** Refuses, before anything else is looked at, whoever does not bring a secret of our own. */
export interface Gate {
  /** For the documentation. */
  readonly scheme: 'ownToken' | 'bridgeSecret';
  admit(header: ReadHeader): void | Promise<void>;
}

/** One operation of the API: the source of both its Express route and its OpenAPI entry. */
export interface Endpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly operationId: string;
  readonly summary: string;
  readonly tag: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  readonly path: string;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** What it may answer when all is well, by status. */
  readonly replies: Readonly<Record<number, z.ZodType>>;
  readonly problems: readonly ErrorCode[];
  readonly gate?: Gate;
  /** As `8kb`; 100 kB if it does not say. */
  readonly bodyMax?: string;
  /** JSON if it does not say. */
  readonly contentType?: string;
  /** Which of these headers does it read? For the documentation. */
  readonly reads?: readonly ('Idempotency-Key' | 'Prefer' | 'Last-Event-ID' | 'If-None-Match')[];
}

export interface PublicEndpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>
  extends Endpoint<P, Q, B> {
  readonly isPublic: true;
  handle(input: Input<P, Q, B>): Promise<Reply>;
}

export interface UserEndpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>
  extends Endpoint<P, Q, B> {
  readonly isPublic: false;
  handle(input: Input<P, Q, B> & { readonly principal: Principal }): Promise<Reply>;
}

export interface AnyEndpoint extends Endpoint<z.ZodType, z.ZodType, z.ZodType> {
  readonly isPublic: boolean;
  handle(input: never): Promise<Reply>;
}

/** For everybody who is signed in. */
export function endpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  definition: Omit<UserEndpoint<P, Q, B>, 'isPublic'>,
): AnyEndpoint {
  return { ...definition, isPublic: false };
}

/** For everybody. */
export function publicEndpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>(
  definition: Omit<PublicEndpoint<P, Q, B>, 'isPublic'>,
): AnyEndpoint {
  return { ...definition, isPublic: true };
}

export const nothing = z.object({});

const WAIT_MAX_S = 60;

const idempotencyKey = z
  .string()
  .min(1)
  .max(255)
  .regex(/^[\x21-\x7e]+$/, 'expected visible ASCII characters')
  .nullable();

function readHeaders(request: Request) {
  const wait = /(?:^|[,;\s])wait=(\d+)/.exec(request.get('prefer') ?? '')?.[1] ?? '0';
  return {
    idempotencyKey: request.get('idempotency-key') ?? null,
    lastEventId: request.get('last-event-id') ?? null,
    ifNoneMatch: request.get('if-none-match') ?? null,
    waitS: Math.min(Number(wait), WAIT_MAX_S),
  };
}

/** Names every mistake of a request at once, by its place. */
function toInvalidInput({ issues }: z.ZodError): InvalidInputError {
  const errors = issues.map(({ path, message }) => ({ field: path.join('.'), message }));
  const summary = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new InvalidInputError(summary, { details: { errors } });
}

const BODY_MAX = '100kb';

export function createRouter(
  endpoints: readonly AnyEndpoint[],
  authenticate: Authenticate,
): Router {
  const router = Router();
  // After the token: a body that nobody may send is not read. Express 5 forwards what a handler
  // rejects with to the error middleware.
  const readBody = express.json({ limit: BODY_MAX });
  const identify: RequestHandler = async (request, response, next) => {
    response.locals['principal'] = await authenticate(request.get('authorization'));
    next();
  };
  for (const definition of endpoints) {
    const { method, path, body, isPublic, gate, bodyMax } = definition;
    const before = [
      ...(gate ? [guard(gate)] : []),
      ...(isPublic ? [] : [identify]),
      ...(body === nothing ? [] : [bodyMax ? express.json({ limit: bodyMax }) : readBody]),
    ];
    router[method](path, ...before, createHandler(definition));
  }
  return router;
}

const guard =
  (gate: Gate): RequestHandler =>
  async (request, _, next) => {
    await gate.admit((name) => request.get(name));
    next();
  };

function createHandler(definition: AnyEndpoint): RequestHandler {
  const { params, query, body, replies, operationId } = definition;
  const schema = z.object({ params, query, body, idempotencyKey });
  const handle = definition.handle as (input: unknown) => Promise<Reply>;
  return async (request, response) => {
    const headers = readHeaders(request);
    const input = schema.safeParse({
      params: request.params,
      query: request.query,
      body: request.body ?? {},
      idempotencyKey: headers.idempotencyKey,
    });
    if (!input.success) throw toInvalidInput(input.error);
    const principal: unknown = response.locals['principal'];
    const reply = await handle({
      ...input.data,
      headers,
      principal,
      // Made for those who look at it: most do not wait for anything.
      get signal() {
        return signalOf(response);
      },
    });
    const schemaOfReply = replies[reply.status];
    if (!schemaOfReply) throw new Error(`${operationId}: undocumented ${reply.status}`);
    if ('stream' in reply) {
      begin(response, reply, definition.contentType ?? JSON_TYPE);
      return reply.stream(response);
    }
    // Our own answer is checked too; if it is wrong that is a bug, hence a 500.
    const text = 'json' in reply ? reply.json : JSON.stringify(schemaOfReply.parse(reply.body));
    begin(response, reply, JSON_TYPE);
    response.end(text);
  };
}

const JSON_TYPE = 'application/json; charset=utf-8';

function signalOf(response: Response): AbortSignal {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

/** What Express does for an answer, without what an answer of ours never needs. */
function begin(response: Response, { status, headers = {} }: Reply, contentType: string): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.setHeader('Content-Type', contentType);
}
