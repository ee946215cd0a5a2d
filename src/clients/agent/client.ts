import { Agent } from 'undici';
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { type Answer, agentError, askAgent, type Question } from './exchange.ts';
import type { AgentPayload } from './payload.ts';
import { originOf, refusal, word } from './refusal.ts';

/** Polls of one agent come one by one; a second connection serves an order meanwhile. */
const CONNECTIONS_PER_AGENT = 2;
/** Longer than the pause between two polls, so that a poll rarely opens a connection. */
const KEEP_ALIVE_MS = 15_000;

const STATES = [
  'idle',
  'installing',
  'starting',
  'running',
  'stopping',
  'stopped',
  'crashed',
  'error',
] as const;

export interface AgentStatus {
  /** `unknown`: a word that this version does not know. */
  readonly state: (typeof STATES)[number] | 'unknown';
  readonly installStep?: string | undefined;
  readonly error?: string | undefined;
  readonly crashCount?: number | undefined;
  readonly players?: number | undefined;
  readonly uptimeSeconds?: number | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  /** `minecraft_ping`: the agent itself pinged the game's port. */
  readonly readySource?: string;
  /** Why not, in the agent's words, or `no_answer`, `timed_out`, `http_<status>`. */
  readonly reason?: string;
}

interface CallOptions {
  /** Ends the call earlier than its own deadline; then its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
}

/** The daemon inside a container, addressed by its IP. */
export interface AgentClient extends AsyncDisposable {
  /** Is there an agent at all? No answer is an answer, so this does not throw. */
  health(ip: string, options?: CallOptions): Promise<{ alive: boolean; reason?: string }>;
  /** Only 200 with `ready: true` is ready. No answer is an answer, so this does not throw. */
  ready(ip: string, options?: CallOptions): Promise<Readiness>;
  /** @throws UpstreamError `no_answer`, `timed_out`, `answer_unreadable`, `agent_refused`, … */
  status(ip: string, options?: CallOptions): Promise<AgentStatus>;
  /**
   * Orders the installation and returns when the agent has accepted it. The same payload again
   * changes nothing.
   * @throws UpstreamError `agent_refused` (not retryable) with the agent's word in
   * `details.agentError`; retryable ones if it did not get through.
   */
  configure(ip: string, payload: AgentPayload, options?: CallOptions): Promise<void>;
  /** Starts, stops or restarts the game inside. Throws as `configure` does. */
  control(ip: string, verb: 'start' | 'stop' | 'restart', options?: CallOptions): Promise<void>;
  /**
   * Types a line into the console of the game. With an id, an agent that knows of ids types it
   * once, however often it is sent. Throws as `configure` does.
   */
  command(
    ip: string,
    command: { readonly text: string; readonly id?: string | undefined },
    options?: CallOptions,
  ): Promise<void>;
}

export interface AgentClientOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  readonly maxAnswerBytes?: number;
}

const CRASHES_MAX = 10_000;

const count = z
  .number()
  .int()
  .nonnegative()
  .transform((crashes) => Math.min(crashes, CRASHES_MAX));

const status = z.object({
  state: z.string().pipe(z.enum([...STATES, 'unknown']).catch('unknown')),
  installStep: word.optional().catch(undefined),
  error: word.optional().catch(undefined),
  crashCount: count.optional().catch(undefined),
  players: z.number().optional().catch(undefined),
  uptimeSeconds: z.number().optional().catch(undefined),
});
const readiness = z.object({
  ready: z.boolean().catch(false),
  readySource: word.optional().catch(undefined),
  reason: word.optional().catch(undefined),
});

export function createAgentClient(options: AgentClientOptions): AgentClient {
  const { port, token, timeoutMs, maxAnswerBytes = 64 * 1024 } = options;
  const dispatcher = new Agent({
    connections: CONNECTIONS_PER_AGENT,
    keepAliveTimeout: KEEP_ALIVE_MS,
  });
  const headers = token ? { authorization: `Bearer ${token}` } : {};

  function ask(ip: string, question: Question, { signal }: CallOptions = {}): Promise<Answer> {
    signal?.throwIfAborted();
    return askAgent(question, {
      origin: originOf(ip, port),
      dispatcher,
      headers,
      timeoutMs,
      maxAnswerBytes,
      signal,
    });
  }

  async function order(ip: string, question: Question, call?: CallOptions): Promise<void> {
    const answer = await ask(ip, question, call);
    if (!answer.ok) throw refusal(question, answer);
  }

  return {
    async health(ip, call) {
      const answer = await orReason(ask(ip, { method: 'GET', path: '/health' }, call));
      if (typeof answer === 'string') return { alive: false, reason: answer };
      return answer.ok ? { alive: true } : { alive: false, reason: `http_${answer.status}` };
    },
    async ready(ip, call) {
      const answer = await orReason(ask(ip, { method: 'GET', path: '/ready' }, call));
      return typeof answer === 'string' ? { ready: false, reason: answer } : readinessOf(answer);
    },
    async status(ip, call) {
      const question = { method: 'GET', path: '/status' } as const;
      const answer = await ask(ip, question, call);
      if (!answer.ok) throw refusal(question, answer);
      const parsed = status.safeParse(answer.body);
      if (parsed.success) return parsed.data;
      throw agentError('answer_unreadable', question, { cause: parsed.error });
    },
    configure: (ip, payload, call) =>
      order(ip, { method: 'POST', path: '/config', body: payload }, call),
    command: (ip, { text, id }, call) =>
      order(ip, { method: 'POST', path: '/console/command', body: { command: text, id } }, call),
    control: (ip, verb, call) => order(ip, { method: 'POST', path: `/${verb}`, body: {} }, call),
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}

function readinessOf({ status: code, body }: Answer): Readiness {
  const said = readiness.safeParse(body).data;
  if (code !== 200 || !said?.ready) {
    const fallback = code === 200 ? 'not_ready' : `http_${code}`;
    return { ready: false, reason: said?.reason ?? fallback };
  }
  return said.readySource === undefined
    ? { ready: true }
    : { ready: true, readySource: said.readySource };
}

/** A failure to reach the agent as a word; the caller's own abort stays an exception. */
async function orReason(answer: Promise<Answer>): Promise<Answer | string> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof UpstreamError) return error.reason;
    throw error;
  }
}
