import { randomInt } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type EdgeWorld, startEdge } from '../../lab/edge.ts';
import { ALICE, type Client, startTestApp, type TestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

/** Everything that has to do with reaching an instance runs at this pace in tests. */
const PACE = {
  PROXMOX_POLL_MS: '20',
  DEBT_SWEEP_MS: '500',
  EDGE_TIMEOUT_MS: '1000',
  EFFECT_RETRY_MS: '100',
  EDGE_RECONCILE_MS: '400',
  TRAEFIK_POLL_TIMEOUT_MS: '3000',
  HOST_SWEEP_MS: '300',
  POLL_INTERVAL_MS: '500',
};
const POLL_MS = 200;
const PING_MS = 300;

export interface ReachableApp extends AsyncDisposable {
  readonly app: TestApp;
  readonly edge: EdgeWorld;
  readonly alice: Client;
  order(body: object): Promise<number>;
  /** The status of an instance as soon as it is so. */
  statusWhen(
    vmid: number,
    isSo: (status: Status) => boolean,
    what: string,
    timeoutMs?: number,
  ): Promise<Status>;
  remove(vmid: number): Promise<void>;
  debts(): Promise<readonly { kind: string; code: string }[]>;
  /** What each third party still has of this instance, asked from the third party. */
  traces(name: string): Traces;
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads what it expects, and fails if it is not there
export type Status = any;

export interface Traces {
  readonly cloudflare: readonly string[];
  readonly technitium: readonly string[];
  readonly opnsense: readonly string[];
  readonly velocity: readonly string[];
}

export const NOTHING: Traces = { cloudflare: [], technitium: [], opnsense: [], velocity: [] };

export const MINECRAFT = {
  ctype: 'game',
  game: 'minecraft',
  variant: 'vanilla',
  version: '1.20.4',
  memoryMiB: 2048,
};
export const TERRARIA = {
  ctype: 'game',
  game: 'terraria',
  variant: 'vanilla',
  version: '1.4.4',
  memoryMiB: 512,
};

/** The whole service with a whole edge, which each test may break as it likes. */
export async function startReachableApp(
  environment: Readonly<Record<string, string>> = {},
): Promise<ReachableApp> {
  await using opened = new AsyncDisposableStack();
  const dataDir = await mkdtemp(join(tmpdir(), 'zpack-edge-'));
  opened.defer(() => rm(dataDir, { recursive: true, force: true }));
  // Below those that the system hands out, one of which another test may get meanwhile.
  const port = randomInt(10_000, 20_000);
  const apiUrl = `http://127.0.0.1:${port}`;
  const edge = opened.use(await startEdge({ dataDir, apiUrl, pingMs: PING_MS, pollMs: POLL_MS }));
  const app = opened.use(
    await startTestApp({
      environment: { PORT: String(port), ...PACE, ...edge.environment, ...environment },
    }),
  );
  const alice = await app.signIn(ALICE);
  const closing = opened.move();
  return {
    ...{ app, edge, alice },
    async order(body) {
      const headers = { prefer: 'wait=60' };
      const created = await alice.call('POST', '/api/instances', { body, headers });
      if (created.body.operation?.state !== 'succeeded') {
        throw new Error(`it was not made: ${JSON.stringify(created.body)}`);
      }
      return created.body.vmid;
    },
    async statusWhen(vmid, isSo, what, timeoutMs = 20_000) {
      let latest: Status;
      await until(
        async () => {
          latest = (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
          return isSo(latest);
        },
        { what: `${what} of ${vmid}`, timeoutMs },
      ).catch((cause: unknown) => {
        const { edge: at, proxy, connection } = latest ?? {};
        throw new Error(JSON.stringify({ at, proxy, connection }), { cause });
      });
      return latest;
    },
    async remove(vmid) {
      const headers = { prefer: 'wait=30' };
      await alice.call('DELETE', `/api/containers/${vmid}?force=true`, { headers });
      await until(
        async () => (await alice.call('GET', `/api/servers/${vmid}/status`)).status === 404,
        { what: `the end of ${vmid}`, timeoutMs: 30_000 },
      );
    },
    async debts() {
      const { rows } = await app.database.pool.query('SELECT kind, code FROM debt ORDER BY kind');
      return rows;
    },
    traces: (name) => tracesOf(edge, name),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

const isNamed = (found: string, name: string) => found.toLowerCase().includes(name.toLowerCase());

function tracesOf(edge: EdgeWorld, name: string): Traces {
  const vmid = /-(\d+)$/.exec(name)?.[1] ?? name;
  return {
    cloudflare: edge.cloudflare
      .records()
      .map((record) => `${record.type} ${record.name}`)
      .filter((one) => isNamed(one, name)),
    technitium: edge.technitium
      .records()
      .map((record) => `${record.type} ${record.name}`)
      .filter((one) => isNamed(one, name)),
    opnsense: edge.opnsense
      .records()
      .map((rule) => JSON.stringify(rule))
      .filter((one) => one.includes(`zpack:${vmid}-`)),
    velocity: edge.velocity
      .servers()
      .map((server) => server.name)
      .filter((one) => isNamed(one, name)),
  };
}
