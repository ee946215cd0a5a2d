import { Agent } from 'undici';

import { askAgent } from './exchange.ts';
import { originOf, refusal } from './refusal.ts';

export type CodeServerVerb = 'start' | 'stop' | 'restart';

/** The IDE of a dev container, by the agent beside it. */
export interface AgentCodeServer extends AsyncDisposable {
  /**
   * Returns when the agent has accepted it.
   * @throws UpstreamError `agent_refused` (not retryable) with the agent's word in
   * `details.agentError`; retryable ones if it did not get through.
   */
  control(
    ip: string,
    verb: CodeServerVerb,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
}

export interface AgentCodeServerOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
}

const ANSWER_BYTES_MAX = 64 * 1024;

export function createAgentCodeServer(options: AgentCodeServerOptions): AgentCodeServer {
  const { port, token, timeoutMs } = options;
  const dispatcher = new Agent({ connections: 1 });
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return {
    async control(ip, verb, { signal } = {}) {
      signal?.throwIfAborted();
      const question = { method: 'POST', path: `/dev/codeserver/${verb}`, body: {} } as const;
      const answer = await askAgent(question, {
        ...{ origin: originOf(ip, port), dispatcher, headers, timeoutMs, signal },
        maxAnswerBytes: ANSWER_BYTES_MAX,
      });
      if (!answer.ok) throw refusal(question, answer);
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}
