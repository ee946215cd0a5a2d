import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface LeashedCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** The user to become, if we are root and the service must not be. */
  readonly runAs?: { readonly uid: number; readonly gid: number } | undefined;
  /** Emptied at each start; receives stdout and stderr. */
  readonly logFile: string;
  /** Sent one after the other while the service lives; SIGKILL follows the last grace. */
  readonly stopSignals: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[];
}

export interface Leashed extends AsyncDisposable {
  readonly pid: number;
  /** Settles when the service has ended, for whatever reason; never rejects. */
  readonly exited: Promise<void>;
  /** Is the service gone, or told to go? */
  readonly ended: boolean;
}

/**
 * Starts a service that ends with this process, whatever ends this process. Disposing stops it
 * and waits until it is gone. It does not keep our event loop alive by itself.
 * @throws Error if the command cannot be executed.
 */
export async function startLeashed(spec: LeashedCommand): Promise<Leashed> {
  const leash = spawn(
    process.execPath,
    [fileURLToPath(new URL('leash.ts', import.meta.url)), JSON.stringify(spec)],
    {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  // Writing to a leash that has died is no news: `exited` reports it.
  leash.stdin.on('error', () => {});
  const left = once(leash, 'exit');
  const pid = await Promise.race([
    firstReport(leash.stdout, spec.command),
    left.then(() => Promise.reject(new Error(`${spec.command}: the launcher ended at once`))),
  ]);

  let ended = false;
  const exited = left.then(([, signal]) => {
    ended = true;
    // Somebody killed the launcher itself; the service has lost its guard and must go too.
    if (signal !== null) kill(pid, spec.stopSignals[0]?.signal ?? 'SIGKILL');
  });
  leash.unref();
  for (const stream of [leash.stdin, leash.stdout]) (stream as unknown as Unrefable).unref();

  return {
    pid,
    exited,
    get ended() {
      return ended;
    },
    async [Symbol.asyncDispose]() {
      leash.ref();
      leash.stdin.end();
      await exited;
    },
  };
}

/** Child streams are sockets, which their declared type does not say. */
interface Unrefable {
  unref(): void;
}

async function firstReport(stdout: NodeJS.ReadableStream, command: string): Promise<number> {
  for await (const line of createInterface(stdout)) {
    const report = JSON.parse(line) as { pid?: number; error?: string };
    if (report.pid !== undefined) return report.pid;
    throw new Error(`${command}: ${report.error}`);
  }
  throw new Error(`${command}: the launcher said nothing`);
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Already gone.
  }
}
