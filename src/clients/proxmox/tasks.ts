import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

import { UpstreamError } from '../../errors.ts';
import { proxmoxError, taskFailure } from './failure.ts';
import { readData, type Transport } from './transport.ts';
import { parseUpid, type Upid } from './upid.ts';

const POLL_MS = 500;
const LIST_MAX = 500;

export interface Task {
  readonly upid: Upid;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  /** Seconds since 1970, by the node's clock. */
  readonly starttime: number;
  /** Of a task that has ended; of one that still runs null. */
  readonly exitstatus: string | null;
}

interface TaskSearch {
  readonly node: string;
  readonly vmid?: number;
  readonly sinceS?: number | undefined;
  readonly typefilter?: string | undefined;
}

interface TaskLog {
  readonly lines: readonly string[];
  readonly total: number;
}

/** All throw UpstreamError with a reason of failure.ts. */
export interface TaskCalls {
  /** Tasks of one node, running and ended, the newest first, at most 500. */
  listTasks(search: TaskSearch): Promise<Task[]>;
  readTask(upid: Upid): Promise<Task>;
  readTaskLog(upid: Upid, page?: { start?: number; limit?: number }): Promise<TaskLog>;
  /** Asks the task to stop, which may take a while. Idempotent. */
  stopTask(upid: Upid): Promise<void>;
  /**
   * Waits for the task's end and answers how many warnings it gave. Failures to read the task
   * that may pass are borne until `signal` says stop; then the reason is `aborted`.
   */
  awaitTask(upid: Upid, options: AwaitOptions): Promise<{ warnings: number }>;
}

interface AwaitOptions {
  readonly signal: AbortSignal;
  readonly pollMs?: number;
}

const status = z.object({
  status: z.enum(['running', 'stopped']),
  exitstatus: z.string().optional(),
});
const listed = z.object({
  upid: z.string(),
  starttime: z.coerce.number(),
  status: z.string().optional(),
});
const logLine = z.object({ n: z.coerce.number(), t: z.string() });

/** What Proxmox itself says of a task that ended without writing how. */
const UNEXPECTED = 'unexpected status';

export function createTaskCalls(transport: Transport): TaskCalls {
  async function readTask(upid: Upid, signal?: AbortSignal): Promise<Task> {
    const path = `${pathOf(upid)}/status`;
    const answer = await transport.call({ method: 'GET', path, signal });
    const { status: state, exitstatus } = readData(status, answer, path);
    const ended = state === 'stopped';
    return { upid, ...partsOf(upid), exitstatus: ended ? (exitstatus ?? UNEXPECTED) : null };
  }

  return {
    async listTasks({ node, vmid, sinceS, typefilter }) {
      const path = `/nodes/${encodeURIComponent(node)}/tasks`;
      const parameters = { source: 'all', limit: LIST_MAX, vmid, since: sinceS, typefilter };
      const answer = await transport.call({ method: 'GET', path, parameters });
      return readData(z.array(listed), answer, path).flatMap(({ upid, status: exitstatus }) => {
        const parts = parseUpid(upid);
        // The list shows `RUNNING` or nothing for a task that has not ended, depending on release.
        const end = exitstatus === 'RUNNING' ? null : (exitstatus ?? null);
        return parts ? [{ upid, ...pick(parts), exitstatus: end }] : [];
      });
    },
    readTask: (upid) => readTask(upid),
    async readTaskLog(upid, { start = 0, limit = LIST_MAX } = {}) {
      const path = `${pathOf(upid)}/log`;
      const answer = await transport.call({ method: 'GET', path, parameters: { start, limit } });
      const lines = readData(z.array(logLine), answer, path).map(({ t }) => t);
      return { lines, total: answer.total ?? start + lines.length };
    },
    async stopTask(upid) {
      await transport.call({ method: 'DELETE', path: pathOf(upid) });
    },
    async awaitTask(upid, { signal, pollMs = POLL_MS }) {
      const { type, id } = partsOf(upid);
      const what = `${type} of ${id}`;
      for (;;) {
        const task = await readTask(upid, signal).catch((error: unknown) => {
          if (signal.aborted) throw proxmoxError('aborted', what, { cause: error });
          if (error instanceof UpstreamError && error.retryable) return null;
          throw error;
        });
        if (task && task.exitstatus !== null) return readEnd(what, task.exitstatus);
        await delay(pollMs, undefined, { signal }).catch(() => {
          throw proxmoxError('aborted', what);
        });
      }
    },
  };
}

function readEnd(what: string, exitstatus: string): { warnings: number } {
  if (exitstatus === 'OK') return { warnings: 0 };
  const warnings = /^WARNINGS: (\d+)$/.exec(exitstatus)?.[1];
  if (warnings !== undefined) return { warnings: Number(warnings) };
  throw taskFailure(what, exitstatus);
}

function pathOf(upid: Upid): string {
  return `/nodes/${encodeURIComponent(partsOf(upid).node)}/tasks/${encodeURIComponent(upid)}`;
}

function partsOf(upid: Upid) {
  const parts = parseUpid(upid);
  if (!parts) throw proxmoxError('task_missing', 'reading a UPID', { cause: new Error(upid) });
  return pick(parts);
}

function pick({ node, type, id, user, starttime }: NonNullable<ReturnType<typeof parseUpid>>) {
  return { node, type, id, user, starttime };
}
