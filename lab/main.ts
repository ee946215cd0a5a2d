import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { freePort } from './services/free-port.ts';
import { waitFor } from './services/wait.ts';
import { startWorld, type World } from './world.ts';

/** Runs the API in a local world, and says what to open and what to type. */

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PORT = 4000;
const GRACE_MS = 15_000;
const ACCOUNTS = [
  { id: 'u-demo', email: 'demo@zpack.test', username: 'demo', role: 'user' },
  { id: 'u-admin', email: 'admin@zpack.test', username: 'admin', role: 'admin' },
] as const;
/** The lab listens on loopback only and holds nothing of value. */
const PASSWORD = 'lab-password';

const { values } = parseArgs({
  options: {
    fresh: { type: 'boolean', default: false },
    data: { type: 'string', default: `${ROOT}.lab` },
    port: { type: 'string' },
  },
});

const log = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  if (!process.versions.node.startsWith('24.')) {
    throw new Error(`Node 24 is needed, this is ${process.versions.node}: try "npm rebuild node"`);
  }
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  await using world = await startWorld({
    dataDir: values.data,
    cacheDir: `${ROOT}.cache`,
    isFresh: values.fresh,
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    redisUrl: process.env['REDIS_URL'] || undefined,
    log,
  });
  await run('scripts/migrate.ts', [], world);
  for (const { id, email, username, role } of ACCOUNTS) {
    const args = ['--id', id, '--email', email, '--username', username, '--role', role];
    await run('scripts/account.ts', args, world, { ACCOUNT_PASSWORD: PASSWORD });
  }
  const port = values.port ?? String(await portOrFree(PORT));
  const url = `http://127.0.0.1:${port}`;
  const api = start('src/main.ts', [], world, { PORT: port, LOG_LEVEL: logLevel() });
  try {
    await waitFor(() => answers(`${url}/readyz`, api), { timeoutMs: 30_000, what: 'the API' });
    process.stdout.write(welcome(url));
    await Promise.race([once(api, 'exit'), once(stop.signal, 'abort')]);
    if (!stop.signal.aborted) throw new Error(`the API ended by itself, code ${api.exitCode}`);
  } finally {
    await end(api);
  }
}

const logLevel = () => process.env['LOG_LEVEL'] ?? 'warn';

function start(
  file: string,
  args: readonly string[],
  world: World,
  extra: Readonly<Record<string, string>> = {},
): ChildProcess {
  // Out of the terminal's process group: on Ctrl-C it is we who end it, in order.
  return spawn(process.execPath, [file, ...args], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...world.environment, ...extra },
  });
}

async function run(...what: Parameters<typeof start>): Promise<void> {
  const child = start(...what);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${what[0]} ended with code ${code}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await once(child, 'exit');
  clearTimeout(timer);
}

async function answers(url: string, api: ChildProcess): Promise<true | undefined> {
  if (api.exitCode !== null) throw new Error(`the API ended with code ${api.exitCode}`);
  const response = await fetch(url).catch(() => null);
  return response?.ok || undefined;
}

async function portOrFree(wanted: number): Promise<number> {
  const taken = await fetch(`http://127.0.0.1:${wanted}/`).then(
    () => true,
    () => false,
  );
  return taken ? freePort() : wanted;
}

function welcome(url: string): string {
  return `
ZPack is running at ${url}  (API reference: ${url}/docs)
Accounts: demo / ${PASSWORD} (customer), admin / ${PASSWORD} (administrator)

Sign in; create a Minecraft server and wait until it is ready; look at it; delete it:

  TOKEN=$(curl -s ${url}/api/auth/login -H 'content-type: application/json' -d '{"identifier":"demo","password":"${PASSWORD}"}' | grep -o '"token":"[^"]*' | cut -d'"' -f4)
  VMID=$(curl -s ${url}/api/instances -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -H 'prefer: wait=60' -d '{"ctype":"game","game":"minecraft","variant":"vanilla","version":"1.20.4","memoryMiB":2048}' | grep -o '"vmid":[0-9]*' | cut -d: -f2)
  curl -s ${url}/api/servers/$VMID/status -H "authorization: Bearer $TOKEN"
  curl -s -X DELETE "${url}/api/containers/$VMID?force=true" -H "authorization: Bearer $TOKEN" -H 'prefer: wait=60'

Ctrl-C stops everything; the data stay in ${values.data} (--fresh begins anew).
`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    log(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
