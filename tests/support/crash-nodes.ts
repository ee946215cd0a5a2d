import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { COMPILED } from '../../lab/compiled.ts';
import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import type { Programs } from './programs.ts';
import { openTestLog } from './test-log.ts';
import { until } from './until.ts';

/** A life of seconds needs no thrift, and has no cores to spare for threads that collect garbage. */
const SHORT_LIVED = ['--min-semi-space-size=16', '--single-threaded-gc'];

const WARN = 40;
const NOTES_MAX = 200;
/** A node that cannot even start is not started for ever. */
const GENERATIONS_MAX = 200;

export type Role = 'api' | 'worker' | 'all';

/** Where a node kills itself: at which passing of which checkpoint. */
export interface Fault {
  readonly at: Checkpoint;
  readonly pass: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly afterMs: number;
}

/**
 * A node under a supervisor, which starts it again at once when it dies: with the next of its
 * faults, and when all have fired as production runs it.
 */
export interface SupervisedNode {
  readonly name: string;
  readonly role: Role;
  /** Where its API listens just now; null while it does not. */
  readonly url: string | null;
  readonly hasStarted: boolean;
  readonly generation: number;
  /** The faults that it recorded before it died of them. */
  fired(): readonly string[];
  /** @throws Error unless the signal met a living process and ended it. */
  kill(): Promise<void>;
  /** SIGTERM; it is not started again. */
  terminate(): Promise<Ended>;
}

export interface Nodes extends AsyncDisposable {
  start(options: { role: Role; faults?: readonly Fault[] }): Promise<SupervisedNode>;
  all(): readonly SupervisedNode[];
  /** Nodes that ended although nobody and no fault had killed them. */
  strange(): readonly string[];
  /** The latest warnings of all nodes, for whoever looks for the cause of a failure. */
  notes(): readonly string[];
}

export function createNodes(options: {
  readonly folder: string;
  readonly programs: Programs;
  readonly environment: Readonly<Record<string, string>>;
}): Nodes {
  const nodes: (SupervisedNode & { end(): Promise<void> })[] = [];
  const strange: string[] = [];
  const notes: string[] = [];
  const note = (line: string) => {
    notes.push(line);
    if (notes.length > NOTES_MAX) notes.shift();
  };
  return {
    async start({ role, faults = [] }) {
      const name = `${role}-${nodes.length + 1}`;
      const record = join(options.folder, `${name}.fired`);
      const environment = { ...options.environment, ROLE: role };
      const { programs } = options;
      const node = supervise({ name, role, faults, record, environment, strange, note, programs });
      nodes.push(node);
      await until(() => node.hasStarted || node.generation > 1, {
        what: `${name} starting: ${notes.join('\n')}`,
        timeoutMs: 60_000,
      });
      return node;
    },
    all: () => nodes,
    strange: () => strange,
    notes: () => notes,
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.end()));
    },
  };
}

interface Supervision {
  readonly programs: Programs;
  readonly name: string;
  readonly role: Role;
  readonly faults: readonly Fault[];
  readonly record: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly strange: string[];
  readonly note: (line: string) => void;
}

function supervise(supervision: Supervision): SupervisedNode & { end(): Promise<void> } {
  const { name, role, faults, record, environment, strange, note, programs } = supervision;
  const log = openTestLog(`${name}-${randomUUID()}`, environment);
  let generation = 0;
  let isEnding = false;
  let url: string | null = null;
  let hasStarted = false;
  let child = spawnNode();

  function spawnNode(): ChildProcess {
    generation += 1;
    const fault = faults[generation - 1];
    const orders = fault && {
      CRASH_AT: fault.at,
      CRASH_PASS: String(fault.pass),
      CRASH_RECORD: record,
    };
    const started = spawn(
      process.execPath,
      [...SHORT_LIVED, '--import', programs.lifeline, fault ? programs.faulty : programs.main],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: COMPILED, ...environment, ...orders },
      },
    );
    // Its end is told by `exit`; the pipes may break before.
    started.stdin.on('error', () => {});
    createInterface(started.stdout).on('line', (line) => read(started, line));
    createInterface(started.stderr).on('line', (line) => {
      log.output.write(`${line}\n`);
      note(`${name} stderr: ${line}`);
    });
    started.once('exit', (code, signal) => {
      url = null;
      hasStarted = false;
      if (isEnding) return;
      note(`${name} generation ${generation} ended: ${signal ?? code}`);
      if (signal !== 'SIGKILL') strange.push(`${name} ended by itself: ${signal ?? code}`);
      if (generation < GENERATIONS_MAX) child = spawnNode();
    });
    return started;
  }

  function read(from: ChildProcess, line: string): void {
    log.output.write(`${line}\n`);
    const entry = JSON.parse(line) as { level: number; msg?: string; url?: string | null };
    if (entry.level >= WARN) note(`${name} ${line.slice(0, 600)}`);
    if (entry.msg !== 'started' || from !== child) return;
    url = entry.url ?? null;
    hasStarted = true;
    from.stdin?.write('keep what is compiled\n');
  }

  return {
    name,
    role,
    get url() {
      return url;
    },
    get hasStarted() {
      return hasStarted;
    },
    get generation() {
      return generation;
    },
    fired: () => readLines(record),
    async kill() {
      const victim = child;
      if (victim.exitCode !== null || victim.signalCode !== null || !victim.kill('SIGKILL')) {
        throw new Error(`${name} was not alive when it was to be killed`);
      }
      if (victim.signalCode === null) await once(victim, 'exit');
      if (victim.signalCode !== 'SIGKILL') throw new Error(`${name} died of something else`);
    },
    async terminate() {
      isEnding = true;
      const at = performance.now();
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      const { exitCode: code, signalCode: signal } = child;
      return { code, signal, afterMs: performance.now() - at };
    },
    async end() {
      isEnding = true;
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

function readLines(file: string): readonly string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
