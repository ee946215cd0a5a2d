/** The files of one PostgreSQL cluster: created whole or not at all, and usable after a crash. */
import { randomBytes } from 'node:crypto';
import { chown, readFile, readlink, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from './commands.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { RunAs } from './run-as.ts';

export const POSTGRES_USER = 'zpack';
export const POSTGRES_DATABASE = 'zpack';
/** Messages in English, because we read them; nothing else of our environment matters to it. */
export const POSTGRES_ENV = { LC_ALL: 'C', PATH: '/usr/bin:/bin', TZ: 'UTC' };

export interface Cluster {
  readonly dataDir: string;
  readonly password: string;
}

export interface ClusterOptions {
  readonly folder: string;
  readonly binaries: PostgresBinaries;
  readonly runAs: RunAs | null;
  readonly durable: boolean;
}

/** The cluster in `folder`, made with the database `zpack` if there is none yet. */
export async function openCluster(options: ClusterOptions): Promise<Cluster> {
  const dataDir = join(options.folder, 'data');
  const passwordFile = join(options.folder, 'password');
  const initialised = await readFile(join(dataDir, 'PG_VERSION')).catch(() => null);
  if (!initialised) await createCluster(options, { dataDir, passwordFile });
  return { dataDir, password: (await readFile(passwordFile, 'utf8')).trim() };
}

async function createCluster(
  { folder, binaries, runAs, durable }: ClusterOptions,
  { dataDir, passwordFile }: { dataDir: string; passwordFile: string },
): Promise<void> {
  // Renamed at the very end: an interrupted attempt leaves nothing that looks like a cluster.
  const draft = `${dataDir}.draft`;
  await rm(draft, { recursive: true, force: true });
  await rm(passwordFile, { force: true });
  const password = `${randomBytes(18).toString('hex')}\n`;
  // `wx` follows no link that the service's user may have put here for root to write through.
  await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' });
  if (runAs) await chown(passwordFile, runAs.uid, runAs.gid);
  const options = { cwd: folder, env: POSTGRES_ENV, runAs };
  const args = [
    `--pgdata=${draft}`,
    `--username=${POSTGRES_USER}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
  ];
  await run(binaries.initdb, durable ? args : [...args, '--no-sync'], options);
  const single = ['--single', '-D', draft, ...(durable ? [] : ['-F']), 'postgres'];
  await run(binaries.postgres, single, {
    ...options,
    input: `CREATE DATABASE ${POSTGRES_DATABASE}\n`,
  });
  await rename(draft, dataDir);
}

/**
 * PostgreSQL believes a pid file as long as any process has that number, which after a SIGKILL
 * may be a stranger (numbers in a container start again at 1). Removes the file in that case.
 * @throws Error if a PostgreSQL really runs on this cluster.
 */
export async function removeStaleLock(dataDir: string, log: (line: string) => void): Promise<void> {
  const lock = join(dataDir, 'postmaster.pid');
  const pid = Number((await readFile(lock, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid || !isAlive(pid)) return;
  if (await isPostgresOn(pid, dataDir))
    throw new Error(`PostgreSQL (pid ${pid}) already runs on ${dataDir}: stop that lab first`);
  log(`removing ${lock}: its process ${pid} is somebody else's`);
  await rm(lock);
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function isPostgresOn(pid: number, dataDir: string): Promise<boolean> {
  const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => null);
  if (cwd !== null) return cwd === (await realpath(dataDir));
  const command = await run('ps', ['-p', String(pid), '-o', 'command=']).catch(() => '');
  return command.includes(dataDir);
}

/** Does this cluster's postmaster accept connections? It says so in line 8 of its pid file. */
export async function isReady(dataDir: string, pid: number): Promise<boolean> {
  const lines = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')).split(
    '\n',
  );
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready';
}
