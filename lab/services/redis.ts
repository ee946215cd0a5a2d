import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';

import { findOnPath, run } from './commands.ts';
import { freePort } from './free-port.ts';
import { type Leashed, startLeashed } from './leashed.ts';
import { type RedisBinary, unpackRedis } from './redis-package.ts';
import { waitFor } from './wait.ts';

const START_TIMEOUT_MS = 15_000;
/** BullMQ refuses older ones. */
const MAJOR_MIN = 6;

export interface RedisOptions {
  readonly dataDir: string;
  /** A downloaded Redis is kept here and used again. */
  readonly cacheDir: string;
  readonly redisUrl?: string | undefined;
  readonly log?: (line: string) => void;
}

export interface Redis extends AsyncDisposable {
  readonly url: string;
  readonly source: 'REDIS_URL' | 'path' | 'debian-package';
}

/**
 * An empty Redis: the one of `redisUrl` as it is, else one of our own on 127.0.0.1, with a
 * password, that keeps nothing and ends with this process.
 * @throws Error that says what was tried and what to install, or what Redis said.
 */
export async function startRedis({
  dataDir,
  cacheDir,
  redisUrl,
  log = () => {},
}: RedisOptions): Promise<Redis> {
  if (redisUrl) return { url: redisUrl, source: 'REDIS_URL', async [Symbol.asyncDispose]() {} };

  const { binary, source } = await findRedis(resolve(cacheDir), log);
  const folder = join(dataDir, 'redis');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const place = { folder: await realpath(folder), logFile: resolve(dataDir, 'redis.log') };
  const { server, port, password } = await startServer(binary, place);
  log(`redis (${source}) on 127.0.0.1:${port}, pid ${server.pid}`);

  let disposing = false;
  void server.exited.then(() => {
    if (!disposing) log(`redis (pid ${server.pid}) ended by itself, see ${place.logFile}`);
  });
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    source,
    async [Symbol.asyncDispose]() {
      disposing = true;
      await server[Symbol.asyncDispose]();
    },
  };
}

interface FoundRedis {
  readonly binary: RedisBinary;
  readonly source: 'path' | 'debian-package';
}

async function findRedis(cacheDir: string, log: (line: string) => void): Promise<FoundRedis> {
  const tried: string[] = [];
  for (const name of ['redis-server', 'valkey-server']) {
    const command = await findOnPath(name);
    const version = command ? (await run(command, ['--version'])).trim() : 'not found';
    if (command && Number(/v=(\d+)/.exec(version)?.[1]) >= MAJOR_MIN)
      return { binary: { command, env: {} }, source: 'path' };
    tried.push(`${name} on PATH (${version})`);
  }
  try {
    return { binary: await unpackRedis(cacheDir, log), source: 'debian-package' };
  } catch (cause) {
    tried.push(`the Debian package (${(cause as Error).message})`);
    const message = `no Redis to run. Tried: ${tried.join('; ')}. ${advice()}, or set REDIS_URL.`;
    throw new Error(message, { cause });
  }
}

function advice(): string {
  if (process.platform === 'darwin') return 'Install it with "brew install redis"';
  if (process.platform === 'win32') return 'Install Memurai, or run the lab inside WSL';
  return 'Install redis-server (apt install redis-server, dnf install valkey, apk add redis)';
}

interface Place {
  readonly folder: string;
  readonly logFile: string;
}

interface Started {
  readonly server: Leashed;
  readonly port: number;
  readonly password: string;
}

async function startServer(binary: RedisBinary, place: Place): Promise<Started> {
  return waitFor(
    async () => {
      const port = await freePort();
      const password = randomBytes(18).toString('hex');
      await using opened = new AsyncDisposableStack();
      const server = opened.use(await launch(binary, { ...place, port, password }));
      const ready = await waitFor(
        async () => ((await answersPing(port, password)) ? true : server.ended ? false : undefined),
        { timeoutMs: START_TIMEOUT_MS, what: 'redis accepting connections' },
      );
      if (ready) {
        opened.move();
        return { server, port, password };
      }
      const said = await readFile(place.logFile, 'utf8').catch(() => '');
      // Another process took the port between our look and Redis' bind: take another one.
      if (said.includes('Address already in use')) return undefined;
      throw new Error(`redis did not start: ${said.trim().split('\n').slice(-8).join('\n')}`);
    },
    { timeoutMs: START_TIMEOUT_MS, what: 'redis starting' },
  );
}

async function launch(
  { command, env }: RedisBinary,
  { folder, logFile, port, password }: Place & { port: number; password: string },
): Promise<Leashed> {
  // In a file, because a command line can be read by everybody on the machine.
  const settings = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    'save ""',
    'appendonly no',
    'maxmemory-policy noeviction',
    'daemonize no',
  ];
  const file = join(folder, 'redis.conf');
  await rm(file, { force: true });
  await writeFile(file, `${settings.join('\n')}\n`, { mode: 0o600 });
  return startLeashed({
    command,
    args: [file],
    cwd: folder,
    env: { ...env, PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    logFile,
    stopSignals: [{ signal: 'SIGTERM', graceMs: 3_000 }],
  });
}

async function answersPing(port: number, password: string): Promise<boolean> {
  const socket = connect({ host: '127.0.0.1', port });
  try {
    socket.setEncoding('utf8').setTimeout(1_000, () => socket.destroy(new Error('silent')));
    await once(socket, 'connect');
    socket.end(`AUTH ${password}\r\nPING\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    return answer.includes('+PONG');
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
