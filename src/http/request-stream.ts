import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';

/** Time to read a refusal in, for whoever is still sending what nobody wants. */
const LINGER_MS = 500;
const READ_MAX_MS = 60_000;

/** A body that its handler takes as it comes. */
export interface RequestStream {
  /** What `Content-Length` says; null: it does not say. */
  readonly length: number | null;
  /** Asks for the body. Not called, none of it is read. It errs if the client goes. */
  open(): Readable;
}

const expecting = new WeakSet<IncomingMessage>();

/**
 * Node would ask for every body before anybody has looked at its request. So asks whoever reads
 * it, and who refuses it spares the client the way.
 */
export function awaitReaders(server: Server, app: RequestListener): void {
  server.on('checkContinue', (request, response) => {
    expecting.add(request);
    app(request, response);
  });
}

function askForBody(request: IncomingMessage, response: ServerResponse): void {
  if (expecting.delete(request)) response.writeContinue();
}

/** What is small comes soon, or its connection ends. */
export async function readInTime<Q extends IncomingMessage, S extends ServerResponse>(
  read: (request: Q, response: S) => Promise<unknown>,
  request: Q,
  response: S,
): Promise<unknown> {
  askForBody(request, response);
  const late = setTimeout(() => request.socket.destroy(), READ_MAX_MS);
  try {
    return await read(request, response);
  } finally {
    clearTimeout(late);
  }
}

/**
 * Once it is answered: what still comes of its body is thrown away, so that the connection can go
 * on, and not for ever, so that nobody sends gigabytes that nobody wants.
 */
export function endUnread(request: IncomingMessage): void {
  if (request.complete) return;
  request.resume();
  setTimeout(() => request.complete || request.socket.destroy(), LINGER_MS).unref();
}

export function createRequestStream(
  request: IncomingMessage,
  response: ServerResponse,
): RequestStream {
  const length = request.headers['content-length'];
  return {
    length: length === undefined ? null : Number(length),
    open() {
      askForBody(request, response);
      return request;
    },
  };
}
