import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { RunAs } from './run-as.ts';

/** The full path of the first `name` on PATH that we may execute, or null. */
export async function findOnPath(name: string): Promise<string | null> {
  const { PATH = '' } = process.env;
  for (const folder of PATH.split(delimiter).filter(Boolean)) {
    const path = join(folder, name);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return null;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly runAs?: RunAs | null;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/**
 * Runs a command to its end and answers its stdout.
 * @throws Error with the command's stderr if it does not end with 0.
 */
export function run(
  command: string,
  args: readonly string[],
  { cwd = '/', env, runAs, input = '', timeoutMs = 120_000 }: RunOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: env ?? process.env,
      timeout: timeoutMs,
      ...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
    };
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const said = (stderr || stdout).trim().slice(-2_000);
      reject(new Error(`${command} ${args[0] ?? ''}: ${said || error.message}`, { cause: error }));
    });
    // A command that does not read its input may close it before we have written.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
}
