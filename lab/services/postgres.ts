import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { freePort } from './free-port.ts';
import { type Leashed, startLeashed } from './leashed.ts';
import { placeFolder } from './places.ts';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import {
  type Cluster,
  isReady,
  openCluster,
  POSTGRES_DATABASE,
  POSTGRES_ENV,
  POSTGRES_USER,
  removeStaleLock,
} from './postgres-cluster.ts';
import { chooseRunAs, type RunAs } from './run-as.ts';
import { waitFor } from './wait.ts';

const START_TIMEOUT_MS = 60_000;

export interface PostgresOptions {
  /** Data lie in `<dataDir>/postgres` and survive a restart. */
  readonly dataDir: string;
  readonly databaseUrl?: string | undefined;
  /** false: nothing is flushed to disk, so only a crash of the machine loses data. For tests. */
  readonly durable?: boolean;
  readonly log?: (line: string) => void;
}

export interface Postgres extends AsyncDisposable {
  readonly url: string;
  readonly source: 'DATABASE_URL' | 'embedded' | 'path';
}

/**
 * A PostgreSQL with an empty or kept database: the one of `databaseUrl` as it is, else one of our
 * own on 127.0.0.1 that ends with this process.
 * @throws Error that says what was tried and what to install, or what PostgreSQL said.
 */
export async function startPostgres({
  dataDir,
  databaseUrl,
  durable = true,
  log = () => {},
}: PostgresOptions): Promise<Postgres> {
  if (databaseUrl)
    return { url: databaseUrl, source: 'DATABASE_URL', async [Symbol.asyncDispose]() {} };

  const runAs = await chooseRunAs(dataDir);
  const binaries = await findPostgresBinaries(runAs, log);
  const folder = await placeFolder({ dataDir, name: 'postgres', runAs }, log);
  const cluster = await openCluster({ folder, binaries, runAs, durable });
  await removeStaleLock(cluster.dataDir, log);
  const logFile = resolve(dataDir, 'postgres.log');
  const { server, port } = await startServer({ binaries, runAs, durable, cluster, logFile });
  log(`postgres (${binaries.source}) on 127.0.0.1:${port}, pid ${server.pid}, data in ${folder}`);

  let disposing = false;
  void server.exited.then(() => {
    if (!disposing) log(`postgres (pid ${server.pid}) ended by itself, see ${logFile}`);
  });
  return {
    url: `postgresql://${POSTGRES_USER}:${cluster.password}@127.0.0.1:${port}/${POSTGRES_DATABASE}`,
    source: binaries.source,
    async [Symbol.asyncDispose]() {
      disposing = true;
      await server[Symbol.asyncDispose]();
    },
  };
}

interface ServerOptions {
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  readonly runAs: RunAs | null;
  readonly durable: boolean;
  readonly cluster: Cluster;
}

/** Both may pass by themselves: a lost race for the port; children that survive a killed parent. */
const PASSING = /Address already in use|pre-existing shared memory block/;

async function startServer(options: ServerOptions): Promise<{ server: Leashed; port: number }> {
  return waitFor(
    async () => {
      const port = await freePort();
      await using opened = new AsyncDisposableStack();
      const server = opened.use(await launch(options, port));
      const ready = await waitFor(
        async () => ((await isReady(options.cluster.dataDir, server.pid)) ? true : endedOf(server)),
        { timeoutMs: START_TIMEOUT_MS, what: 'postgres accepting connections' },
      );
      if (ready) {
        opened.move();
        return { server, port };
      }
      const said = await readFile(options.logFile, 'utf8').catch(() => '');
      if (PASSING.test(said)) return undefined;
      throw new Error(`postgres did not start: ${said.trim().split('\n').slice(-8).join('\n')}`);
    },
    { timeoutMs: START_TIMEOUT_MS, what: 'postgres starting' },
  );
}

const endedOf = (server: Leashed): false | undefined => (server.ended ? false : undefined);

function launch({ logFile, binaries, runAs, durable, cluster }: ServerOptions, port: number) {
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 200,
    ...(durable ? {} : { fsync: 'off', full_page_writes: 'off' }),
  };
  const set = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return startLeashed({
    command: binaries.postgres,
    args: ['-D', cluster.dataDir, ...set],
    cwd: dirname(cluster.dataDir),
    env: POSTGRES_ENV,
    runAs: runAs ?? undefined,
    logFile,
    // Fast shutdown first; then the immediate one, after which the next start recovers from WAL.
    stopSignals: [
      { signal: 'SIGINT', graceMs: 10_000 },
      { signal: 'SIGQUIT', graceMs: 3_000 },
    ],
  });
}
