import { Agent } from 'undici';
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { type Answer, agentError, askAgent, type Question } from './exchange.ts';
import { originOf, refusal } from './refusal.ts';

/** A backup as its agent lists it. */
export interface Backup {
  readonly id: string;
  /** What it was called when it was ordered; null: the agent does not say. */
  readonly name: string | null;
  readonly sizeBytes: number | null;
  readonly createdAt: string | null;
  readonly sha256: string | null;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The backups of a game, which its agent makes and keeps. Orders may take as long as an hour. */
export interface AgentBackups extends AsyncDisposable {
  /** What the agent answers, whatever its status. @throws UpstreamError if there is no answer */
  ask(ip: string, options?: CallOptions): Promise<Answer>;
  /** @throws UpstreamError `agent_refused`, `agent_failed`, `no_answer`, … */
  list(ip: string, options?: CallOptions): Promise<readonly Backup[]>;
  create(ip: string, name: string, options?: CallOptions): Promise<Backup>;
  restore(ip: string, backupId: string, options?: CallOptions): Promise<void>;
  verify(ip: string, backupId: string, options?: CallOptions): Promise<void>;
  /** What is gone already is deleted. */
  remove(ip: string, backupId: string, options?: CallOptions): Promise<void>;
}

export interface AgentBackupsOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** Longest wait for an order. */
  readonly orderTimeoutMs: number;
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
const LIST = { method: 'GET', path: '/game/backups' } as const;
const text = z
  .string()
  .max(500)
  .transform((given) => given.toWellFormed().replace(/\p{Cc}+/gu, ' '));

const backup = z
  .object({
    id: text.pipe(z.string().min(1).max(200)),
    name: text.nullish(),
    size: z.number().nonnegative().nullish(),
    sizeBytes: z.number().nonnegative().nullish(),
    createdAt: text.nullish(),
    created_at: text.nullish(),
    sha256: text.nullish(),
  })
  .transform(
    (one): Backup => ({
      id: one.id,
      name: one.name ?? null,
      sizeBytes: one.sizeBytes ?? one.size ?? null,
      createdAt: one.createdAt ?? one.created_at ?? null,
      sha256: one.sha256 ?? null,
    }),
  );

/** Agents answer a bare list or one below `backups`. */
const listed = z.union([z.array(backup), z.object({ backups: z.array(backup) })]);
const made = z.union([z.object({ backup }), backup]);

export const readBackups = (body: unknown): readonly Backup[] | null => {
  const { data } = listed.safeParse(body);
  return data === undefined ? null : 'backups' in data ? data.backups : data;
};

export function createAgentBackups(options: AgentBackupsOptions): AgentBackups {
  const { port, token, timeoutMs, orderTimeoutMs } = options;
  // An order that takes long must not keep a look waiting.
  const dispatcher = new Agent({ connections: 4, headersTimeout: 0, bodyTimeout: 0 });
  const headers = token ? { authorization: `Bearer ${token}` } : {};

  function ask(ip: string, question: Question, { signal }: CallOptions = {}): Promise<Answer> {
    signal?.throwIfAborted();
    return askAgent(question, {
      ...{ origin: originOf(ip, port), dispatcher, headers, signal },
      timeoutMs: question.method === 'GET' ? timeoutMs : orderTimeoutMs,
      maxAnswerBytes: ANSWER_BYTES_MAX,
    });
  }

  async function order(ip: string, question: Question, call?: CallOptions): Promise<Answer> {
    const answer = await ask(ip, question, call);
    if (!answer.ok) throw refusal(question, answer);
    return answer;
  }

  const withId = (path: string, backupId: string) =>
    `${path}?${new URLSearchParams({ id: backupId })}`;

  return {
    ask: (ip, call) => ask(ip, LIST, call),
    async list(ip, call) {
      const backups = readBackups((await order(ip, LIST, call)).body);
      if (backups) return backups;
      throw agentError('answer_unreadable', LIST);
    },
    async create(ip, name, call) {
      const question = { method: 'POST', path: '/game/backups', body: { name } } as const;
      const { data } = made.safeParse((await order(ip, question, call)).body);
      if (data) return 'backup' in data ? data.backup : data;
      throw agentError('answer_unreadable', question);
    },
    async restore(ip, backupId, call) {
      const path = withId('/game/backups/restore', backupId);
      await order(ip, { method: 'POST', path, body: {} }, call);
    },
    async verify(ip, backupId, call) {
      const path = withId('/game/backups/verify', backupId);
      await order(ip, { method: 'POST', path, body: {} }, call);
    },
    async remove(ip, backupId, call) {
      const path = `/game/backups/${encodeURIComponent(backupId)}`;
      try {
        await order(ip, { method: 'DELETE', path }, call);
      } catch (error) {
        const isGone = error instanceof UpstreamError && error.details['status'] === 404;
        if (!isGone) throw error;
      }
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}
