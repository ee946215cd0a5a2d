import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { startIdePage } from './ide-page.ts';

export interface CodeServerOptions {
  /** Of the container. */
  readonly root: string;
  readonly host: string;
  /** The program of a real code-server; undefined: a small page stands in for it. */
  readonly program: string | undefined;
  readonly write: (line: string) => void;
}

/** The IDE of a dev container: on or off, whatever is asked of it how often. */
export interface CodeServer extends AsyncDisposable {
  start(): void;
  stop(): Promise<void>;
}

const PORT = 8_080;
const STOP_GRACE_MS = 3_000;

/** Where whoever works in the container is at home. */
export const homeOf = (root: string): string => join(root, 'home', 'dev');

export function createCodeServer(options: CodeServerOptions): CodeServer {
  let running: Promise<AsyncDisposable> | undefined;

  function start(): void {
    mkdirSync(homeOf(options.root), { recursive: true });
    running ??= open(options).catch((error: unknown) => {
      running = undefined;
      options.write(`[agent] no IDE: ${error instanceof Error ? error.message : String(error)}`);
      return { [Symbol.asyncDispose]: async () => {} };
    });
  }

  async function stop(): Promise<void> {
    const ending = running;
    running = undefined;
    await (await ending)?.[Symbol.asyncDispose]();
  }

  return { start, stop, [Symbol.asyncDispose]: stop };
}

function open(options: CodeServerOptions): Promise<AsyncDisposable> {
  const { root, host, program } = options;
  if (program !== undefined) return startProgram(program, options);
  return startIdePage({ root, host, port: PORT, home: homeOf(root) });
}

/** In the process group of the container, so it ends with it. */
async function startProgram(
  program: string,
  { root, host, write }: CodeServerOptions,
): Promise<AsyncDisposable> {
  const home = homeOf(root);
  const data = join(root, 'var', 'code-server');
  const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
  const child = spawn(
    process.execPath,
    [
      ...[program, '--auth', 'none', '--bind-addr', `${host}:${PORT}`],
      ...['--user-data-dir', data, '--extensions-dir', join(data, 'extensions'), ...quiet, home],
    ],
    {
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: home, SHELL: '/bin/sh' },
    },
  );
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => write(`[code-server] ${line}`));
  }
  await once(child, 'spawn');
  return { [Symbol.asyncDispose]: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
  await ended;
  clearTimeout(timer);
}
