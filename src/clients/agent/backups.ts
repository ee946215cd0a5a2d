import { Agent } from 'undici';
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { type Answer, agentError, askAgent, type Question } from './exchange.ts';
import { originOf, refusal, word } from './refusal.ts';

/** A backup as its agent lists it. */
export interface Backup {
  readonly id: string;
  /** What it was called when it was ordered; null: the agent does not say, as of the rest. */
  readonly name: string | null;
  readonly sizeBytes: number | null;
  readonly createdAt: string | null;
  readonly sha256: string | null;
}

interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

interface OrderOptions extends CallOptions {
  /**
   * Says which order this is: agents that know `Idempotency-Key` answer a repetition with what
   * becomes of the first.
   */
  readonly key: string;
}

/**
 * The backups of a game, which its agent makes and keeps. Orders may take as long as an hour.
 * They throw UpstreamError: `agent_refused`, `agent_failed`, `agent_busy` (it works on another
 * order), `no_answer`, `timed_out`, …
 */
export interface AgentBackups extends AsyncDisposable {
  /** What the agent answers, whatever its status. @throws UpstreamError if there is no answer */
  ask(ip: string, options?: CallOptions): Promise<Answer>;
  list(ip: string, options?: CallOptions): Promise<readonly Backup[]>;
  /** By the same name it is made once. */
  create(ip: string, name: string, options: OrderOptions): Promise<Backup>;
  restore(ip: string, backupId: string, options: OrderOptions): Promise<void>;
  verify(ip: string, backupId: string, options: OrderOptions): Promise<void>;
  /** An agent answers 404 both of what is gone and of what it cannot do: see what it lists. */
  remove(ip: string, backupId: string, options: OrderOptions): Promise<void>;
}

export interface AgentBackupsOptions {
  readonly port: number;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** Longest wait for an order. */
  readonly orderTimeoutMs: number;
}

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;
/** An order that takes long must not keep a look waiting. */
const CONNECTIONS_PER_AGENT = 4;
/** Of a file: shorter than anybody is kept from locking a backup that was not deleted in time. */
const DELETION_TIMEOUT_MS = 50_000;
const LIST = { method: 'GET', path: '/game/backups' } as const;

const backup = z
  .object({
    id: word.pipe(z.string().min(1)),
    name: word.nullish(),
    size: z.number().nonnegative().nullish().catch(null),
    sizeBytes: z.number().nonnegative().nullish().catch(null),
    createdAt: word.nullish().catch(null),
    created_at: word.nullish().catch(null),
    sha256: word.nullish().catch(null),
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
const done = z.object({ ok: z.literal(true) });
const made = z.union([z.object({ backup }), backup]);

/** Each is a row of ours: an agent that invents them must not fill our tables. */
const LISTED_MAX = 1_000;

/** null: it is no list of backups. */
export const readBackups = (body: unknown): readonly Backup[] | null => {
  const { data } = listed.safeParse(body);
  const all = data === undefined ? null : 'backups' in data ? data.backups : data;
  return all && all.length <= LISTED_MAX ? all : null;
};

/** It works on another order: what is asked of it now may be asked again later. */
function toFailure(question: Question, answer: Answer): UpstreamError {
  const error = refusal(question, answer);
  if (answer.status !== 503 || error.details['agentError'] !== 'busy') return error;
  return new UpstreamError(error.message, {
    ...{ reason: 'agent_busy', retryable: true, details: error.details },
  });
}

export function createAgentBackups(options: AgentBackupsOptions): AgentBackups {
  const { port, token, timeoutMs, orderTimeoutMs } = options;
  const dispatcher = new Agent({
    ...{ connections: CONNECTIONS_PER_AGENT, headersTimeout: 0, bodyTimeout: 0 },
  });
  const headers = token ? { authorization: `Bearer ${token}` } : {};

  const timeoutOf = (method: string) => {
    if (method === 'GET') return timeoutMs;
    return method === 'DELETE' ? Math.min(orderTimeoutMs, DELETION_TIMEOUT_MS) : orderTimeoutMs;
  };

  function ask(ip: string, question: Question, { signal }: CallOptions = {}): Promise<Answer> {
    signal?.throwIfAborted();
    return askAgent(question, {
      ...{ origin: originOf(ip, port), dispatcher, headers, signal },
      timeoutMs: timeoutOf(question.method),
      maxAnswerBytes: ANSWER_BYTES_MAX,
    });
  }

  async function order(ip: string, bare: Question, { key, signal }: OrderOptions): Promise<Answer> {
    const question = { ...bare, headers: { 'idempotency-key': key } };
    const answer = await ask(ip, question, { signal });
    if (!answer.ok) throw toFailure(question, answer);
    return answer;
  }

  const about = (verb: 'restore' | 'verify', id: string): Question => ({
    ...{ method: 'POST', path: `/game/backups/${verb}?${new URLSearchParams({ id })}`, body: {} },
  });

  return {
    ask: (ip, call) => ask(ip, LIST, call),
    async list(ip, call) {
      const answer = await ask(ip, LIST, call);
      if (!answer.ok) throw refusal(LIST, answer);
      const backups = readBackups(answer.body);
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
      await order(ip, about('restore', backupId), call);
    },
    async verify(ip, backupId, call) {
      const question = about('verify', backupId);
      // Only its own word makes a backup a verified one.
      if (done.safeParse((await order(ip, question, call)).body).success) return;
      throw agentError('answer_unreadable', question);
    },
    async remove(ip, backupId, call) {
      const path = `/game/backups/${encodeURIComponent(backupId)}`;
      await order(ip, { method: 'DELETE', path }, call);
    },
    [Symbol.asyncDispose]: () => dispatcher.close(),
  };
}
