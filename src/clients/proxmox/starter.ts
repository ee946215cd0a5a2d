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

interface TaskTraits {
  readonly node: string;
  /** What the task carries as its id. */
  readonly vmid: number;
  /** What it may be called; more than one where high availability takes over. */
  readonly types: readonly string[];
}

interface TaskStart extends TaskTraits {
  readonly call: Call;
  /** Has the world changed as only this work changes it? Without an answer, the task decides. */
  readonly hasBegun?: () => Promise<boolean>;
  /** Which of these tasks is ours? Without an answer, the newest. */
  readonly choose?: (candidates: readonly Task[]) => Promise<Task | null>;
}

export interface BegunSearch {
  readonly ageMs: number;
  readonly known: readonly Upid[];
}

export interface Starter {
  /**
   * Answers the UPID of a task that was begun by this very call.
   * @throws UpstreamError with the reason `no_answer` if it is not known to have begun.
   */
  start(start: TaskStart): Promise<Upid>;
  /** The newest task that a predecessor of ours began, who died before he could say so. */
  findBegun(traits: TaskTraits, search: BegunSearch): Promise<Task | null>;
}

export function createStarter(
  transport: Transport,
  { listTasks }: Pick<TaskCalls, 'listTasks'>,
  tokenId: string,
): Starter {
  const users = [tokenId, tokenId.split('!')[0]];
  /** Tasks that other calls of ours began are not the one that is missed. */
  const known = new Set<Upid>();

  function note(upid: Upid): Upid {
    known.add(upid);
    const [oldest] = known;
    if (known.size > KNOWN_MAX && oldest !== undefined) known.delete(oldest);
    return upid;
  }

  /** Tasks of ours since then, by this node's clock in ms; null while the server's is not known. */
  async function listOurs({ node, vmid, types }: TaskTraits, sinceMs: number) {
    const typefilter = types.length === 1 ? types[0] : undefined;
    const tasks = await listTasks({ node, vmid, typefilter });
    // The list's own answer has told the server's time, if no earlier one had.
    const sinceS = transport.serverTimeS(sinceMs);
    if (sinceS === undefined) return null;
    return tasks.filter(
      (task) =>
        types.includes(task.type) &&
        task.id === String(vmid) &&
        task.starttime >= sinceS - CLOCK_SLACK_S &&
        users.includes(task.user),
    );
  }

  async function find(start: TaskStart, sentMs: number) {
    if (start.hasBegun) {
      if (!(await start.hasBegun())) return null;
      await delay(FORK_MS);
    }
    const ours = await listOurs(start, sentMs);
    if (!ours) return null;
    const candidates = ours.filter(({ upid }) => !known.has(upid));
    return start.choose ? start.choose(candidates) : (candidates[0] ?? null);
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

  return {
    async start(start) {
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
    },
    async findBegun(traits, search) {
      const ours = await listOurs(traits, transport.now() - search.ageMs);
      return ours?.find(({ upid }) => !search.known.includes(upid)) ?? null;
    },
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
