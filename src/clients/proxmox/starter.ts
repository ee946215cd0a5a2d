/**
 * Starts tasks at Proxmox, each once. An answer can get lost after the work has begun, and asking
 * again would then begin it twice. So nothing is ever sent twice: when the answer is missing, the
 * node's task list tells whether the work began, and under which UPID.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

import { failedBecause, proxmoxError } from './failure.ts';
import type { Task, TaskCalls } from './tasks.ts';
import { type Call, readData, type Transport } from './transport.ts';
import { parseUpid, type Upid } from './upid.ts';

/** When to look, after the answer was lost: a request may be worked on a while before it forks. */
const LOOKS_AFTER_MS = [0, 250, 1_000];
/** Dates come in whole seconds, and the clocks of a cluster's nodes differ a little. */
const CLOCK_SLACK_S = 5;
const KNOWN_MAX = 1_000;
/** The world changes before the task is listed; after this, what is not listed is not ours. */
const FORK_MS = 250;

interface TaskStart {
  readonly call: Call;
  readonly node: string;
  /** What the task will carry as its id. */
  readonly vmid: number;
  /** What it may be called; more than one where high availability takes over. */
  readonly types: readonly string[];
  /** Has the world changed as only this work changes it? Without an answer, the task decides. */
  readonly hasBegun?: () => Promise<boolean>;
  /** Which of these tasks is ours? Without an answer, the newest. */
  readonly choose?: (candidates: readonly Task[]) => Promise<Task | null>;
}

/**
 * Answers the UPID of a task that was begun by this very call.
 * @throws UpstreamError with the reason `no_answer` if it is not known to have begun.
 */
export type StartTask = (start: TaskStart) => Promise<Upid>;

export function createStarter(
  transport: Transport,
  { listTasks }: Pick<TaskCalls, 'listTasks'>,
  tokenId: string,
): StartTask {
  const users = [tokenId, tokenId.split('!')[0]];
  /** Tasks that other calls of ours began are not the one that is missed. */
  const known = new Set<Upid>();

  function note(upid: Upid): Upid {
    known.add(upid);
    const [oldest] = known;
    if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest);
    return upid;
  }

  async function find({ node, vmid, types, hasBegun, choose }: TaskStart, sentMs: number) {
    if (hasBegun) {
      if (!(await hasBegun())) return null;
      await delay(FORK_MS);
    }
    const typefilter = types.length === 1 ? types[0] : undefined;
    const tasks = await listTasks({ node, vmid, typefilter });
    // The list's own answer has told the server's time, if no earlier one had.
    const sentS = transport.serverTimeS(sentMs);
    if (sentS === undefined) return null;
    const candidates = tasks.filter(
      (task) =>
        types.includes(task.type) &&
        task.id === String(vmid) &&
        task.starttime >= sentS - CLOCK_SLACK_S &&
        users.includes(task.user) &&
        !known.has(task.upid),
    );
    return choose ? choose(candidates) : (candidates[0] ?? null);
  }

  async function lookFor(start: TaskStart, sentMs: number): Promise<Task | null> {
    for (const afterMs of LOOKS_AFTER_MS) {
      await delay(afterMs);
      // A look that fails says nothing; the next one may get through.
      const found = await find(start, sentMs).catch(() => null);
      if (found) return found;
    }
    return null;
  }

  return async (start) => {
    const { call } = start;
    const what = `${call.method} ${call.path}`;
    const sentMs = transport.now();
    try {
      const upid = readData(z.string(), await transport.call(call), what);
      if (parseUpid(upid)) return note(upid);
      throw proxmoxError('answer_unreadable', what);
    } catch (cause) {
      if (!mayHaveBegun(cause)) throw cause;
      const found = await lookFor(start, sentMs);
      if (found) return note(found.upid);
      if (failedBecause(cause, 'node_unreachable')) throw cause;
      throw proxmoxError('no_answer', what, { cause });
    }
  };
}

function mayHaveBegun(error: unknown): boolean {
  return failedBecause(
    error,
    'no_answer',
    'timed_out',
    'answer_unreadable',
    'answer_too_large',
    'node_unreachable',
  );
}
