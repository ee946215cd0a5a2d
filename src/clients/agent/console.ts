import { Agent } from 'undici';
import { z } from 'zod';

import type { UpstreamError } from '../../errors.ts';
import { epoch, lines, offset } from './console-frames.ts';
import { createWatching } from './console-watch.ts';
import { agentError, askAgent } from './exchange.ts';
import { originOf, refusal } from './refusal.ts';

/** Where whoever watches begins: at a line of a known log, or with the last ones. */
export type ConsoleStart =
  | { readonly epoch: string; readonly from: number }
  | { readonly tail: number };

/** What the first word of an agent says of its log. */
export interface ConsoleHello {
  /** Of the log: when it is another one, the same numbers mean other lines. */
  readonly epoch: string;
  /** The line that comes first. */
  readonly from: number;
  /** false: an agent that does not number its lines, so that we do, for this connection. */
  readonly isNumbered: boolean;
}

/** Hears of one connection: `started` once, any `output`, `ended` once and for all. */
export interface ConsoleListener {
  started(hello: ConsoleHello): void;
  output(offset: number, lines: readonly string[]): void;
  /** `no_answer`, `timed_out`, `agent_refused`, `answer_unreadable`, … */
  ended(error: UpstreamError): void;
}

export interface LogPage {
  readonly epoch: string;
  /** Later than what was asked for, if that is not kept any more. */
  readonly offset: number;
  readonly lines: readonly string[];
}

/** The console of the game in a container, by its agent: docs/console.md. */
export interface AgentConsole extends AsyncDisposable {
  /** Disposing it ends the connection, and nothing more is heard of it. */
  watch(ip: string, start: ConsoleStart, listener: ConsoleListener): Disposable;
  /**
   * What was said before, as far as it is kept, some lines at a time.
   * @throws UpstreamError
   */
  readLog(ip: string, page: { readonly from: number; readonly limit: number }): Promise<LogPage>;
}

export interface AgentConsoleOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** After so long without a sign of life the connection ends; half of it, and it is asked for. */
  readonly silentMaxMs?: number;
  /** Of one console; what comes faster waits at the agent. */
  readonly bytesPerS?: number;
  readonly randomId: () => string;
}

const CONNECTIONS_PER_AGENT = 2;
const PAGE_BYTES_MAX = 1024 * 1024;
const SILENT_MAX_MS = 30_000;
const BYTES_PER_S = 2 * 1024 * 1024;

const logPage = z.object({ epoch, offset, lines });

export function createAgentConsole(options: AgentConsoleOptions): AgentConsole {
  const { port, token, timeoutMs, randomId } = options;
  const { silentMaxMs = SILENT_MAX_MS, bytesPerS = BYTES_PER_S } = options;
  const dispatcher = new Agent({ connections: CONNECTIONS_PER_AGENT });
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  const watching = createWatching({ headers, timeoutMs, silentMaxMs, bytesPerS, randomId });
  return {
    watch: (ip, start, listener) => watching(new URL(originOf(ip, port)), start, listener),
    async readLog(ip, { from, limit }) {
      const question = { method: 'GET', path: `/console/log?from=${from}&limit=${limit}` } as const;
      const origin = originOf(ip, port);
      const exchange = { origin, dispatcher, headers, timeoutMs, maxAnswerBytes: PAGE_BYTES_MAX };
      const answer = await askAgent(question, exchange);
      if (!answer.ok) throw refusal(question, answer);
      const parsed = logPage.safeParse(answer.body);
      if (parsed.success) return parsed.data;
      throw agentError('answer_unreadable', question, { cause: parsed.error });
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}
