import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { expect, test } from 'vitest';

import { freePort } from '../../lab/services/free-port.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 60_000;

interface Lab {
  readonly process: ChildProcess;
  readonly printed: () => string;
}

async function startLab(dataDir: string, port: number): Promise<Lab> {
  const args = ['lab/main.ts', '--data', dataDir, '--port', String(port)];
  // Services of its own, whatever the tests run on.
  const env = { ...process.env, DATABASE_URL: '', REDIS_URL: '', LAB_TEST: dataDir };
  const lab = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [lab.stdout, lab.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  }
  await until(() => text.includes('Ctrl-C') || lab.exitCode !== null, {
    what: 'the lab to say what to type',
    timeoutMs: START_TIMEOUT_MS,
  });
  expect(text).toContain('Ctrl-C');
  return { process: lab, printed: () => text };
}

async function end(lab: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (lab.exitCode !== null || lab.signalCode !== null) return;
  lab.kill(signal);
  await once(lab, 'exit');
}

/** Every process that was started, however indirectly, by a lab on this folder. */
function processesOf(dataDir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isOurs = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(dataDir);
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return (isOurs || command.includes(dataDir)) && command !== '' ? [command] : [];
      } catch {
        return [];
      }
    });
}

test('the lines that the lab prints do what they say, and nothing of it outlives it', async () => {
  await using stack = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-lab-'));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const first = await startLab(dataDir, port);
  stack.defer(() => end(first.process, 'SIGKILL'));
  const lines = first
    .printed()
    .split('\n')
    .filter((line) => /^ {2}(TOKEN|VMID|DEV|curl)/.test(line));

  const { stdout } = await run('bash', ['-c', [...lines, 'echo $DEV'].join('\necho\n')]);
  // The container with the IDE is left.
  const vmid = stdout.trim().split('\n').at(-1) ?? '';
  const running = processesOf(dataDir).length;
  await end(first.process, 'SIGINT');
  const afterInterrupt = processesOf(dataDir);
  const second = await startLab(dataDir, port);
  stack.defer(() => end(second.process, 'SIGKILL'));
  const kept = await run('bash', [
    '-c',
    [
      lines[0],
      `curl -s http://127.0.0.1:${port}/api/servers -H "authorization: Bearer $TOKEN"`,
    ].join('\n'),
  ]);
  await end(second.process, 'SIGKILL');

  expect(lines).toHaveLength(6);
  expect(stdout).toMatch(/http:\S+\/__ide\/\d+\/\?token=/);
  expect(stdout).toContain('"status":"running"');
  expect(stdout).toContain('"readySource":"minecraft_ping"');
  expect(stdout).toContain('"result":"deleted"');
  expect(vmid).toMatch(/^\d+$/);
  expect(running).toBeGreaterThan(5);
  expect(afterInterrupt).toEqual([]);
  expect(kept.stdout).toContain(`"id":"${vmid}"`);
  await until(() => processesOf(dataDir).length === 0, {
    what: 'the services to follow a killed lab',
    timeoutMs: 20_000,
  });
}, 120_000);
