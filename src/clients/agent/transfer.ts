/**
 * Files on their way to and from an agent. These two calls are made with node:http: undici does
 * not wait for `100 Continue`, and ends the stream that it is given when an agent refuses early,
 * which here is the client's own connection. Each has a connection of its own, ends when nothing
 * moves on it for too long, and holds no more than what the sockets hold.
 */
import { type ClientRequest, type IncomingMessage, request as send } from 'node:http';
import type { Readable } from 'node:stream';

import { type AgentReason, agentError, transportError } from './exchange.ts';
import { refusal } from './refusal.ts';

/** An agent that does not know the word is sent the body after this time, as curl has it. */
const CONTINUE_WAIT_MS = 1_000;
const ANSWER_BYTES_MAX = 64 * 1024;

export interface Transfer {
  readonly origin: string;
  readonly method: 'GET' | 'POST';
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest time in which nothing moves. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

function begin(transfer: Transfer, headers: Readonly<Record<string, string>>): ClientRequest {
  const { origin, method, path, idleMs, signal } = transfer;
  signal.throwIfAborted();
  const call = send(new URL(path, origin), {
    ...{ method, signal, agent: false },
    // Whoever is told that we close does so with our bytes unread, and its answer may be lost.
    headers: { ...transfer.headers, ...headers, connection: 'keep-alive' },
  });
  return call.setTimeout(idleMs, () =>
    call.destroy(new DOMException('nothing has moved for too long', 'TimeoutError')),
  );
}

/**
 * The answer, whose body waits to be read; the caller destroys it if it does not.
 * @throws UpstreamError also for any answer that is not 2xx
 */
export async function receiveFile(transfer: Transfer): Promise<IncomingMessage> {
  const call = begin(transfer, {});
  const answered = answerOf(transfer, call);
  call.end();
  const answer = await answered;
  if (isGood(answer)) return answer;
  throw await refusalOf(transfer, answer);
}

/**
 * Sends a body when the agent wants it: `open` is called then, and not if it refuses before.
 * @returns what the agent says in the end
 */
export async function sendFile(
  transfer: Transfer,
  size: number,
  open: () => Readable,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const call = begin(transfer, {
    'content-length': String(size),
    'content-type': 'application/octet-stream',
    ...(size > 0 && { expect: '100-continue' }),
  });
  const answered = answerOf(transfer, call);
  const sending = size > 0 ? sendWhenWanted(call, open) : void call.end();
  try {
    const answer = await answered;
    if (!isGood(answer)) throw await refusalOf(transfer, answer);
    return { status: answer.statusCode ?? 0, body: parse(await textOf(transfer, answer)) };
  } finally {
    sending?.[Symbol.dispose]();
    call.destroy();
  }
}

/** The body's stream is left as it is: it belongs to the connection that our answer goes over. */
function sendWhenWanted(call: ClientRequest, open: () => Readable): Disposable {
  let body: Readable | undefined;
  const start = () => {
    clearTimeout(timer);
    if (body || call.destroyed) return;
    body = open();
    body.on('error', isCutOff).on('close', isCutOff);
    body.pipe(call);
  };
  const isCutOff = () => {
    if (!body?.readableEnded) call.destroy(new DOMException('the client has gone', 'AbortError'));
  };
  const timer = setTimeout(start, CONTINUE_WAIT_MS);
  call.on('continue', start);
  call.flushHeaders();
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      call.off('continue', start);
      body?.off('close', isCutOff).unpipe(call);
    },
  };
}

const isGood = ({ statusCode = 0 }: IncomingMessage) => statusCode >= 200 && statusCode <= 299;

function answerOf(transfer: Transfer, call: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    call.once('response', resolve);
    // It stays: what breaks later is told by the answer's own stream.
    call.on('error', (error) => reject(failure(transfer, error)));
  });
}

function failure(transfer: Transfer, error: unknown): unknown {
  if (transfer.signal.aborted) return transfer.signal.reason;
  if (error instanceof DOMException && error.name === 'AbortError') return error;
  return transportError(transfer, error);
}

async function refusalOf(transfer: Transfer, answer: IncomingMessage) {
  const body = parse(await textOf(transfer, answer));
  answer.destroy();
  return refusal(transfer, { status: answer.statusCode ?? 0, body });
}

async function textOf(transfer: Transfer, answer: IncomingMessage): Promise<string> {
  return (await bytesOf(transfer, answer, ANSWER_BYTES_MAX)).toString('utf8');
}

export async function bytesOf(
  transfer: Transfer,
  answer: IncomingMessage,
  bytesMax: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let received = 0;
  try {
    for await (const chunk of answer) {
      received += chunk.length;
      if (received > bytesMax) throw broken(transfer, 'answer_too_large');
      chunks.push(chunk);
    }
  } catch (error) {
    throw failure(transfer, error);
  }
  return Buffer.concat(chunks);
}

export const broken = (transfer: Transfer, reason: AgentReason) => agentError(reason, transfer);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
