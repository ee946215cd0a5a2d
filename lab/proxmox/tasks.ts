import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

import type { Fault } from './faults.ts';
import { readJson, writeJson } from './files.ts';

const task = z.object({
  upid: z.string(),
  node: z.string(),
  pid: z.int(),
  pstart: z.int(),
  starttime: z.int(),
  type: z.string(),
  id: z.string(),
  user: z.string(),
  log: z.array(z.string()),
  endtime: z.int().optional(),
  exitstatus: z.string().optional(),
});

export type Task = z.output<typeof task>;
export type TaskFault = Extract<Fault, { kind: 'task_fails' }>;

/** What a worker sees of its own task. */
export interface Work {
  readonly signal: AbortSignal;
  log(line: string): void;
  sleep(ms: number): Promise<void>;
  /** Wraps what the task is for, so that a planned failure can strike before or after it. */
  effect(work: () => Promise<void> | void): Promise<void>;
}

interface TaskOrder {
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly fault: TaskFault | undefined;
}

export interface Tasks {
  fork(order: TaskOrder, work: (work: Work) => Promise<void>): string;
  get(upid: string): Task | undefined;
  /** The newest first, as in the original. */
  list(node: string): Task[];
  interrupt(upid: string): void;
  settled(): Promise<void>;
}

/** Thrown by a planned failure: its text is the exit status, word for word. */
export class PlannedFailure extends Error {
  override readonly name = 'PlannedFailure';
}

const TASKS_MAX = 2_000;

const UPID =
  /^UPID:([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?):([0-9A-Fa-f]{8}):([0-9A-Fa-f]{8,9}):([0-9A-Fa-f]{8}):([^:\s/]+):([^:\s/]*):([^:\s/]+):$/;

export function isUpid(text: string): boolean {
  return UPID.test(text);
}

export function createTasks(dataDir: string, closing: AbortSignal): Tasks {
  const folder = join(dataDir, 'tasks');
  const tasks = loadTasks(folder);
  const running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  let sequence = Math.floor(Date.now() / 10) & 0xfffff;

  const save = (subject: Task) => writeJson(fileOf(folder, subject.upid), subject);

  function begin(order: TaskOrder): Task {
    sequence += 1;
    const [pid, pstart] = [0x1000 + sequence, Math.floor(Date.now() / 10) & 0x7fffffff];
    const starttime = Math.floor(Date.now() / 1000);
    const stamp = [pid, pstart, starttime].map(hex).join(':');
    const { node, type, id, user } = order;
    const upid = `UPID:${node}:${stamp}:${type}:${id}:${user}:`;
    const fresh: Task = { upid, node, pid, pstart, starttime, type, id, user, log: [] };
    tasks.set(upid, fresh);
    save(fresh);
    forgetOldest(tasks, folder);
    return fresh;
  }

  async function run(
    subject: Task,
    fault: TaskFault | undefined,
    abort: AbortController,
    work: (work: Work) => Promise<void>,
  ): Promise<void> {
    let exitstatus = 'OK';
    try {
      await work(createWork(subject, fault, abort.signal));
    } catch (error) {
      exitstatus = error instanceof Error ? error.message : String(error);
    }
    running.delete(subject.upid);
    // A task cut off by the end of the process never wrote its last line.
    if (closing.aborted) return;
    const succeeded = exitstatus === 'OK' || exitstatus.startsWith('WARNINGS');
    subject.log.push(succeeded ? `TASK ${exitstatus}` : `TASK ERROR: ${exitstatus}`);
    subject.exitstatus = exitstatus;
    subject.endtime = Math.floor(Date.now() / 1000);
    save(subject);
  }

  return {
    fork(order, work) {
      const subject = begin(order);
      const abort = new AbortController();
      const stop = () => abort.abort(closing.reason);
      closing.addEventListener('abort', stop, { once: true });
      const done = run(subject, order.fault, abort, work).finally(() =>
        closing.removeEventListener('abort', stop),
      );
      running.set(subject.upid, { abort, done });
      return subject.upid;
    },
    get: (upid) => tasks.get(upid),
    list: (node) => [...tasks.values()].filter((one) => one.node === node).reverse(),
    interrupt: (upid) => running.get(upid)?.abort.abort(new Error('received interrupt')),
    async settled() {
      await Promise.all([...running.values()].map((one) => one.done));
    },
  };
}

function createWork(subject: Task, fault: TaskFault | undefined, signal: AbortSignal): Work {
  const after = fault?.afterEffect ?? fault?.exitstatus.startsWith('WARNINGS') ?? false;
  return {
    signal,
    log: (line) => subject.log.push(line),
    async sleep(ms) {
      await sleep(ms, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    },
    async effect(work) {
      if (fault && !after) throw new PlannedFailure(fault.exitstatus);
      await work();
      if (fault) throw new PlannedFailure(fault.exitstatus);
    },
  };
}

function loadTasks(folder: string): Map<string, Task> {
  mkdirSync(folder, { recursive: true });
  const found: Task[] = [];
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.json'))) {
    const path = join(folder, name);
    const known = readJson(path, task);
    if (!known) continue;
    // Whoever worked on it is gone without a word.
    if (known.exitstatus === undefined) {
      known.exitstatus = 'unexpected status';
      known.endtime = Math.floor(Date.now() / 1000);
      writeJson(path, known);
    }
    found.push(known);
  }
  found.sort((a, b) => a.starttime - b.starttime || a.pstart - b.pstart || a.pid - b.pid);
  return new Map(found.map((one) => [one.upid, one]));
}

function forgetOldest(tasks: Map<string, Task>, folder: string): void {
  for (const [upid, one] of tasks) {
    if (tasks.size <= TASKS_MAX) return;
    if (one.exitstatus === undefined) continue;
    tasks.delete(upid);
    rmSync(fileOf(folder, upid), { force: true });
  }
}

function fileOf(folder: string, upid: string): string {
  return join(folder, `${encodeURIComponent(upid)}.json`);
}

function hex(value: number): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}
