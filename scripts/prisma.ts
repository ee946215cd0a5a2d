import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Runs a command of Prisma that needs no schema engine (generate, validate, format). The engine
 * is a download that we do without, so Prisma is given one that fails loudly should it be used:
 * one that answers 0 would let `migrate` claim success.
 *
 * `--check`: generates, and fails if the checked-in client is not what the schema says.
 */
const folder = mkdtempSync(join(tmpdir(), 'zpack-prisma-'));
const engine = join(folder, 'engine');
writeFileSync(engine, '#!/bin/sh\nexit 3\n');
chmodSync(engine, 0o755);

function run(command: string, args: readonly string[], env = process.env): number {
  return spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1;
}

const isCheck = process.argv.includes('--check');
const args = process.argv.slice(2).filter((arg) => arg !== '--check');
const env = {
  ...process.env,
  PRISMA_SCHEMA_ENGINE_BINARY: engine,
  PRISMA_HIDE_UPDATE_MESSAGE: '1',
};
try {
  let code = run('prisma', isCheck ? ['validate'] : args, env);
  if (isCheck && code === 0) code = run('prisma', ['generate'], env);
  if (isCheck && code === 0) {
    code = run('git', ['diff', '--exit-code', '--stat', '--', 'src/storage/generated']);
  }
  process.exitCode = code;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
