import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { freePort } from './services/free-port.ts';
import { type Leashed, startLeashed } from './services/leashed.ts';
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
/** What the stand-in of Stripe sells, and what whoever pays nothing has. */
const PLANS = [
  { id: 'free', name: 'Free', slots: 1, 'memory-mib': 2_048, price: 0 },
  { id: 'small', name: 'Small', slots: 2, 'memory-mib': 4_096, price: 5 },
  { id: 'medium', name: 'Medium', slots: 4, 'memory-mib': 8_192, price: 10 },
  { id: 'large', name: 'Large', slots: 8, 'memory-mib': 16_384, price: 20 },
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
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => stop.abort());
  }
  const port = values.port ?? String(await portOrFree(PORT));
  const url = `http://127.0.0.1:${port}`;
  await using world = await startWorld({
    apiUrl: url,
    dataDir: values.data,
    cacheDir: `${ROOT}.cache`,
    isFresh: values.fresh,
    databaseUrl: process.env['DATABASE_URL'] || undefined,
    redisUrl: process.env['REDIS_URL'] || undefined,
    log,
  });
  await run('scripts/migrate.ts', [], world);
  await Promise.all([...ACCOUNTS.map((one) => seedAccount(one, world)), seedPlans(world)]);
  const logFile = `${values.data}/api.log`;
  await using api = await startLeashed({
    command: process.execPath,
    args: ['src/main.ts'],
    cwd: ROOT,
    env: environmentOf(world, { PORT: port, LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info' }),
    logFile,
    stopSignals: [{ signal: 'SIGTERM', graceMs: GRACE_MS }],
  });
  await waitFor(() => answers(`${url}/readyz`, api), { timeoutMs: 30_000, what: 'the API' }).catch(
    async (error: unknown) => {
      log(await readFile(logFile, 'utf8'));
      throw error;
    },
  );
  process.stdout.write(welcome(url, logFile, world));
  // The services do not keep us alive, so that a forgotten one cannot: we ourselves wait.
  const staying = setInterval(() => {}, 60_000);
  await Promise.race([api.exited, once(stop.signal, 'abort')]);
  clearInterval(staying);
  if (!stop.signal.aborted) throw new Error(`the API ended by itself: see ${logFile}`);
}

async function seedAccount(
  { id, email, username, role }: (typeof ACCOUNTS)[number],
  world: World,
): Promise<void> {
  const args = ['--id', id, '--email', email, '--username', username, '--role', role];
  await run('scripts/account.ts', args, world, { ACCOUNT_PASSWORD: PASSWORD });
}

/** One after the other: no two may have the same place. */
async function seedPlans(world: World): Promise<void> {
  for (const [position, { price, ...plan }] of PLANS.entries()) {
    const args = Object.entries({ ...plan, position }).flatMap(([name, value]) => [
      `--${name}`,
      String(value),
    ]);
    const costs = ['--price-cents', String(price * 100), '--currency', 'eur'];
    const sold = price === 0 ? ['--default'] : ['--stripe-price', `price_${plan.id}`];
    await run('scripts/plan.ts', [...args, ...costs, ...sold], world);
  }
}

function environmentOf(
  world: World,
  extra: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const ours = Object.entries(process.env).filter((entry) => entry[1] !== undefined);
  return {
    ...(Object.fromEntries(ours) as Record<string, string>),
    ...world.environment,
    ...extra,
  };
}

/** A script of ours that does one thing and ends. */
async function run(
  file: string,
  args: readonly string[],
  world: World,
  extra: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: environmentOf(world, extra),
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${file} ended with code ${code}`);
}

async function answers(url: string, api: Leashed): Promise<true | undefined> {
  if (api.ended) throw new Error('the API ended by itself');
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

function welcome(url: string, logFile: string, { edge, mail, stripe }: World): string {
  return `
ZPack is running at ${url}: open it and sign in  (API reference: ${url}/docs)
Accounts: demo / ${PASSWORD} (customer), admin / ${PASSWORD} (administrator)
Players of Minecraft come in at ${edge.velocity.host}:${edge.velocity.gamePort}, by the name of their server
Mails: ${mail.page.href}
Payments: ${stripe.url.href} (who pays for what, and what the next month brings)
Watch a server in the Stately inspector: ZPACK_PASSWORD=${PASSWORD} npm run inspect -- --api ${url} <vmid>
Log: ${logFile}

Sign in; create a Minecraft server and wait until it is ready; look at it; delete it:

  TOKEN=$(curl -s ${url}/api/auth/login -H 'content-type: application/json' -d '{"identifier":"demo","password":"${PASSWORD}"}' | grep -o '"token":"[^"]*' | cut -d'"' -f4)
  VMID=$(curl -s ${url}/api/instances -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -H 'prefer: wait=60' -d '{"ctype":"game","game":"minecraft","variant":"vanilla","version":"1.20.4","memoryMiB":2048}' | grep -o '"vmid":[0-9]*' | cut -d: -f2)
  curl -s ${url}/api/servers/$VMID/status -H "authorization: Bearer $TOKEN"
  curl -s -X DELETE "${url}/api/containers/$VMID?force=true" -H "authorization: Bearer $TOKEN" -H 'prefer: wait=60'

Create a dev container, and open its IDE by the link that comes last (code-server, if npm run lab:ide has installed it):

  DEV=$(curl -s ${url}/api/instances -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -H 'prefer: wait=60' -d '{"ctype":"dev","runtime":"node","version":"24","memoryMiB":1024}' | grep -o '"vmid":[0-9]*' | cut -d: -f2)
  curl -s -X POST ${url}/api/dev/$DEV/ide-token -H "authorization: Bearer $TOKEN" | grep -o 'http[^"]*'

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
