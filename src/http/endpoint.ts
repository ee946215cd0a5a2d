import type { ServerResponse } from 'node:http';

import { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';

import { type ErrorCode, InvalidInputError } from '../errors.ts';
import { type Authenticate, type Principal, requireScope } from './auth/principal.ts';
import type { CheckedJson } from './json.ts';
import { createJsonReader, createSignedReader } from './json-body.ts';
import { createRequestStream, type RequestStream, readInTime } from './request-stream.ts';
import { type Answer, createRouteTable } from './route-table.ts';

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
  readonly caller: Caller;
  /** A header of the request, by its name. */
  readonly header: ReadHeader;
  /** Where `takesStream` says so: the body, which nobody has asked for yet. */
  readonly request: RequestStream;
  /** Ends when the client has gone. */
  readonly signal: AbortSignal;
}

/** Where a request comes from: before TRUSTED_PROXIES, if there are any. */
export interface Caller {
  readonly ip: string;
  readonly userAgent: string | null;
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
  /**
   * The body is taken as it came, with the header of this name that signs it:
   * `{bytes: Buffer, signature?: string}`.
   */
  readonly signedBy?: string;
  /** The body is whatever it is, and comes as `input.request`; `body` has no part in it. */
  readonly takesStream?: true;
  /** Bytes; 100 kB if it does not say. */
  readonly bodyMax?: number;
  /** JSON if it does not say. */
  readonly contentType?: string;
  /** Which of these headers does it read? For the documentation. */
  readonly reads?: readonly ReadableHeader[];
}

export type ReadableHeader =
  | 'Idempotency-Key'
  | 'Prefer'
  | 'Last-Event-ID'
  | 'If-Match'
  | 'If-None-Match'
  | 'If-Range'
  | 'Range'
  | 'Want-Repr-Digest'
  | 'Expect';

export interface PublicEndpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>
  extends Endpoint<P, Q, B> {
  readonly isPublic: true;
  handle(input: Input<P, Q, B>): Promise<Reply>;
}

export interface UserEndpoint<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType>
  extends Endpoint<P, Q, B> {
  readonly isPublic: false;
  /** Of the account itself: no API token is for this, whatever its scopes. */
  readonly sessionOnly?: true;
  handle(input: Input<P, Q, B> & { readonly principal: Principal }): Promise<Reply>;
}

export interface AnyEndpoint extends Endpoint<z.ZodType, z.ZodType, z.ZodType> {
  readonly isPublic: boolean;
  readonly sessionOnly?: true;
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

const textOf = (header: string | string[] | undefined): string | null =>
  Array.isArray(header) ? header.join(', ') : (header ?? null);

function readHeaders({ headers }: Request) {
  const prefer = textOf(headers['prefer']);
  const wait = (prefer && /(?:^|[,;\s])wait=(\d+)/.exec(prefer)?.[1]) ?? '0';
  return {
    idempotencyKey: textOf(headers['idempotency-key']),
    lastEventId: textOf(headers['last-event-id']),
    ifNoneMatch: textOf(headers['if-none-match']),
    waitS: Math.min(Number(wait), WAIT_MAX_S),
  };
}

/** Names every mistake of a request at once, by its place. */
function toInvalidInput({ issues }: z.ZodError): InvalidInputError {
  const errors = issues.map(({ path, message }) => ({ field: path.join('.'), message }));
  const summary = errors.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return new InvalidInputError(summary, { details: { errors } });
}

/** As a table, and behind it as an Express router for whatever the table does not understand. */
export function createRouter(
  endpoints: readonly AnyEndpoint[],
  authenticate: Authenticate,
): RequestHandler[] {
  const table = createRouteTable();
  const router = Router();
  for (const definition of endpoints) {
    const { method, path } = definition;
    const answer = createAnswer(definition, authenticate);
    table.add(method, path, answer);
    // Express 5 forwards what an answer rejects with to the error middleware.
    router[method](path, answer);
  }
  return [table.dispatch, router];
}

function createAnswer(definition: AnyEndpoint, authenticate: Authenticate): Answer {
  const { isPublic, gate, replies, operationId, takesStream } = definition;
  const scope = scopeOf(definition);
  const readInput = createInputReader(definition);
  const handle = definition.handle as (input: unknown) => Promise<Reply>;
  return async (request, response) => {
    const { authorization } = request.headers;
    if (gate) await gate.admit((name) => request.get(name));
    const principal = isPublic ? undefined : await authenticate(authorization);
    if (principal) requireScope(principal, scope);
    const checked = await readInput(request, response);
    const body = takesStream && createRequestStream(request, response);
    const reply = await handle(new CheckedInput(checked, principal, response, body));
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

/** What an API token must have been made for. */
const scopeOf = ({ sessionOnly, method }: AnyEndpoint) =>
  sessionOnly ? 'session' : method === 'get' ? 'read' : 'write';

/** Reads and checks a request. After the token: a body that nobody may send is not read. */
function createInputReader({ params, query, body, bodyMax, signedBy }: AnyEndpoint) {
  const readBody =
    signedBy === undefined ? createJsonReader(bodyMax) : createSignedReader(signedBy, bodyMax);
  const schema = z.object({ params, query, body, idempotencyKey });
  return async (request: Request, response: Response) => {
    const headers = readHeaders(request);
    const input = schema.safeParse({
      params: request.params,
      query: query === nothing ? {} : request.query,
      body: body === nothing ? {} : ((await readInTime(readBody, request, response)) ?? {}),
      idempotencyKey: headers.idempotencyKey,
    });
    if (!input.success) throw toInvalidInput(input.error);
    return { ...input.data, headers };
  };
}

const JSON_TYPE = 'application/json; charset=utf-8';
const USER_AGENT_MAX = 300;

/** An object literal with a getter would be made by the runtime of V8, for every request anew. */
class CheckedInput implements Input<z.ZodType, z.ZodType, z.ZodType> {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly headers: ReturnType<typeof readHeaders>;
  readonly principal: Principal | undefined;
  readonly #response: Response;
  readonly #request: RequestStream | undefined;

  constructor(
    checked: Pick<Input<z.ZodType, z.ZodType, z.ZodType>, 'params' | 'query' | 'body' | 'headers'>,
    principal: Principal | undefined,
    response: Response,
    request: RequestStream | undefined,
  ) {
    this.params = checked.params;
    this.query = checked.query;
    this.body = checked.body;
    this.headers = checked.headers;
    this.principal = principal;
    this.#response = response;
    this.#request = request;
  }

  get header(): ReadHeader {
    const { req } = this.#response;
    return (name) => req.get(name);
  }

  get request(): RequestStream {
    if (this.#request) return this.#request;
    throw new Error('an endpoint takes a stream without saying so');
  }

  get caller(): Caller {
    const { req } = this.#response;
    const userAgent = req.headers['user-agent']?.slice(0, USER_AGENT_MAX) ?? null;
    return { ip: req.ip ?? '', userAgent };
  }

  /** Made for those who look at it: most do not wait for anything. */
  get signal(): AbortSignal {
    return signalOf(this.#response);
  }
}

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
