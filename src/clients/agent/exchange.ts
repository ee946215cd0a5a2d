/** One question to one agent: bounded in time and size, and every way to fail has a name. */
import type { Dispatcher } from 'undici';

import { UpstreamError } from '../../errors.ts';
import { receive } from './receive.ts';

export interface Question {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  /** 2xx */
  readonly ok: boolean;
  readonly status: number;
  /** Parsed JSON, or undefined if it was none. */
  readonly body: unknown;
}

export interface Exchange {
  readonly origin: string;
  readonly dispatcher: Dispatcher;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly maxAnswerBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export type AgentReason =
  | 'no_answer'
  | 'timed_out'
  | 'answer_too_large'
  | 'answer_unreadable'
  /** The agent understood and said no: asking again, unchanged, cannot help. */
  | 'agent_refused'
  /** The agent itself is in trouble. */
  | 'agent_failed';

const RETRYABLE: readonly AgentReason[] = ['no_answer', 'timed_out', 'agent_failed'];

export function agentError(
  reason: AgentReason,
  { method, path }: Pick<Question, 'method' | 'path'>,
  { cause, details = {} }: { cause?: unknown; details?: Readonly<Record<string, unknown>> } = {},
): UpstreamError {
  const retryable = RETRYABLE.includes(reason);
  // Without its query, which may hold what is only the customer's business.
  const place = path.replace(/\?.*$/s, '');
  return new UpstreamError(`agent: ${method} ${place}: ${reason}`, {
    reason,
    retryable,
    cause,
    details,
  });
}

/**
 * Any answer is returned, whatever its status.
 * @throws UpstreamError if there is none; the signal's own reason if the caller gave up.
 */
export async function askAgent(question: Question, exchange: Exchange): Promise<Answer> {
  try {
    return await ask(question, exchange).catch((error: unknown) => {
      // An agent may close a connection that has idled, just as we write to it. Reading twice
      // changes nothing; an order is never sent twice.
      if (question.method === 'GET' && isReset(error)) return ask(question, exchange);
      throw error;
    });
  } catch (error) {
    exchange.signal?.throwIfAborted();
    throw transportError(question, error);
  }
}

async function ask(question: Question, exchange: Exchange): Promise<Answer> {
  const { origin, dispatcher, headers, timeoutMs, maxAnswerBytes, signal } = exchange;
  const { method, path } = question;
  const hasBody = question.body !== undefined;
  const all = question.headers ? { ...headers, ...question.headers } : headers;
  const request = {
    ...{ origin, method, path },
    headers: hasBody ? { ...all, 'content-type': 'application/json' } : all,
    body: hasBody ? JSON.stringify(question.body) : null,
  };
  const { status, text } = await receive(dispatcher, request, {
    timeoutMs,
    bytesMax: maxAnswerBytes,
    tooLarge: () => agentError('answer_too_large', question),
    signal,
  });
  return { ok: status >= 200 && status <= 299, status, body: parse(text) };
}

function isReset(error: unknown): boolean {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'UND_ERR_SOCKET';
}

export function transportError(
  question: Pick<Question, 'method' | 'path'>,
  error: unknown,
): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const { name, message } = error instanceof Error ? error : new Error('not an Error');
  const reason = name === 'TimeoutError' ? 'timed_out' : 'no_answer';
  // Rebuilt, so that nothing of the request (a token, a password) can hide in the cause.
  return agentError(reason, question, { cause: new Error(`${name}: ${message}`) });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
