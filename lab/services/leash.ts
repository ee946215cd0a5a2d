/**
 * A launcher that keeps one service on a leash: `node leash.ts <LeashedCommand as JSON>`.
 * Its stdin is a pipe that only our parent holds, so the kernel itself reports the parent's end
 * (exit, crash and SIGKILL alike) as end of file, and the service never outlives its owner. It is
 * started in a session of its own, so Ctrl-C in a terminal reaches the parent alone, which closes
 * its connections before it lets go.
 */
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';

import type { LeashedCommand } from './leashed.ts';

const spec = JSON.parse(process.argv[2] ?? '') as LeashedCommand;
const log = openSync(spec.logFile, 'w', 0o600);
const service = spawn(spec.command, spec.args, {
  cwd: spec.cwd,
  env: spec.env,
  stdio: ['ignore', log, log],
  ...(spec.runAs ? { uid: spec.runAs.uid, gid: spec.runAs.gid } : {}),
});

function report(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  let delayMs = 0;
  for (const { signal, graceMs } of spec.stopSignals) {
    setTimeout(() => service.kill(signal), delayMs);
    delayMs += graceMs;
  }
  setTimeout(() => service.kill('SIGKILL'), delayMs);
}

// The parent may be gone when we report; that is what the end of stdin is about.
process.stdout.on('error', () => {});
process.stdin.on('end', stop).on('error', stop).resume();
process.on('SIGTERM', stop);
process.on('SIGINT', () => {});
process.on('SIGHUP', () => {});

service.once('spawn', () => report({ pid: service.pid }));
service.once('error', (error) => {
  report({ error: error.message });
  process.exitCode = 127;
  process.stdin.destroy();
});
service.once('exit', (code) => process.exit(code ?? 1));
