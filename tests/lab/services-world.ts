/** What the tests of lab/services need: folders, clients, and a process that owns services. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { Redis } from 'ioredis';
import { Client } from 'pg';

const { PATH: ownPath } = process.env;
export const projectDir = join(import.meta.dirname, '../..');
export const cacheDir = join(projectDir, '.cache');

interface Folder extends AsyncDisposable {
  readonly path: string;
  /** Further folders to remove with this one. */
  readonly remove: string[];
}

export async function setUp({ parent = tmpdir() } = {}): Promise<Folder> {
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(await realpath(parent), 'zpack-services-'));
  const remove = [path];
  return {
    path,
    remove,
    async [Symbol.asyncDispose]() {
      for (const folder of remove) await rm(folder, { recursive: true, force: true });
    },
  };
}

export async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

export async function command<T>(url: string, act: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url, { retryStrategy: () => null, enableReadyCheck: false });
  redis.on('error', () => {});
  try {
    return await act(redis);
  } finally {
    redis.disconnect();
  }
}

export interface Owner extends AsyncDisposable {
  readonly process: ChildProcess;
  readonly postgresUrl: string;
  readonly postgresSource: string;
  readonly redisUrl: string;
  readonly uid: number;
}

export async function startOwner({
  dataDir,
  services = join(projectDir, 'lab/services'),
  uid,
  PATH = ownPath,
}: {
  dataDir: string;
  services?: string;
  uid?: number;
  PATH?: string | undefined;
}): Promise<Owner> {
  await mkdir(dataDir, { recursive: true });
  const args = [join(import.meta.dirname, 'services-owner.ts'), services, dataDir, cacheDir];
  const owner = spawn(process.execPath, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  owner.stdin.on('error', () => {});
  const left = once(owner, 'exit');
  const errors = textOf(owner.stderr);
  const line = await Promise.race([
    once(createInterface(owner.stdout), 'line'),
    left.then(async () => Promise.reject(new Error(`the owner ended: ${await errors}`))),
  ]);
  const { postgresUrl, postgresSource, redisUrl, uid: ownUid } = JSON.parse(line[0]);
  return {
    process: owner,
    postgresUrl,
    postgresSource,
    redisUrl,
    uid: ownUid,
    async [Symbol.asyncDispose]() {
      owner.stdin.end();
      await left;
    },
  };
}

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += chunk;
  return text;
}

export async function postmasterPid(dataDir: string): Promise<number> {
  const text = await readFile(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8');
  return Number(text.split('\n')[0]);
}

export async function redisPid(url: string): Promise<number> {
  const server = await command(url, (redis) => redis.info('server'));
  return Number(/process_id:(\d+)/.exec(server)?.[1]);
}

/** A zombie counts as dead: when the init of a container gets round to reaping is its own affair. */
export async function isAlive(pid: number): Promise<boolean> {
  const state = await column(pid, 'stat');
  return state !== '' && !state.startsWith('Z');
}

export async function ps(pid: number, name: 'pgid' | 'ppid' | 'uid'): Promise<number> {
  return Number(await column(pid, name));
}

async function column(pid: number, name: string): Promise<string> {
  const child = spawn('ps', ['-o', `${name}=`, '-p', String(pid)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return (await textOf(child.stdout)).trim();
}
