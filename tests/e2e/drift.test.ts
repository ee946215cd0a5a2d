import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';

import { type Faults, readFired, writeFaults } from '../../lab/agent/faults.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const SWEEP_MS = 200;
const app = await startTestApp({
  environment: {
    HOST_SWEEP_MS: String(SWEEP_MS),
    POLL_INTERVAL_MS: String(SWEEP_MS),
    POLL_SHARDS: '2',
    POLL_TIMEOUT_MS: '300',
    // A game that has died is to stay so while the test looks at it.
    GAME_RESTARTS_MAX: '1',
  },
});
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);
const { proxmox } = app;

interface Seen {
  readonly hostStatus: string;
  readonly status: string;
  readonly agentReady: boolean;
  readonly conditions: readonly { readonly type: string; readonly reason: string }[];
}

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const created = await alice.call('POST', '/api/instances', {
  body: ORDER,
  headers: { prefer: 'wait=20' },
});
const vmid: number = created.body.vmid;
const rootfs = proxmox.containers().find((one) => one.vmid === vmid)?.rootfs ?? '';
const look = async (): Promise<Seen> =>
  (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
const reasonOf = ({ conditions }: Seen, type: string) =>
  conditions.find((one) => one.type === type)?.reason;

/** Well above one sweep, because this machine does other things besides. */
const IN_TIME = { timeoutMs: 20 * SWEEP_MS };
const seen = (what: string, is: (status: Seen) => boolean) =>
  until(async () => is(await look()), { what, ...IN_TIME });
const hostReason = (reason: string) =>
  seen(`the host to be ${reason}`, (status) => reasonOf(status, 'HostRunning') === reason);
const agentReason = (reason: string) =>
  seen(`the agent to be ${reason}`, (status) => reasonOf(status, 'AgentReady') === reason);
const setFaults = (faults: Faults) => writeFaults(rootfs, faults);

test('is in service', async () => {
  expect(created).toMatchObject({ status: 200, body: { operation: { state: 'succeeded' } } });
  await seen('readiness', ({ agentReady }) => agentReady);
});

test('a lock, a move and an offline node are seen with their reasons, and their ends', async () => {
  proxmox.setLock(vmid, 'backup');
  await hostReason('locked_backup');
  proxmox.setLock(vmid, null);
  await hostReason('running');
  proxmox.migrate(vmid, 'pve2');
  await hostReason('moved');
  proxmox.setOffline('pve2', true);
  await hostReason('node_offline');
  const offline = await look();
  proxmox.setOffline('pve2', false);
  await seen('the node to be back', ({ hostStatus }) => hostStatus === 'running');
  await seen('readiness', ({ agentReady }) => agentReady);

  expect(offline).toMatchObject({ hostStatus: 'unknown', agentReady: false });
});

test('an agent that hangs, is back, and says that its game has died', async () => {
  setFaults({ answers: { '/health': 'hang' } });
  await agentReason('unreachable');
  const hanging = readFired(rootfs);
  setFaults({});
  await agentReason('ready');
  setFaults({ saysCrashed: 1 });
  await seen('the crash', ({ status }) => status === 'crashed');
  setFaults({});
  await agentReason('ready');

  expect(hanging.filter((one) => one === 'hang /health').length).toBeGreaterThanOrEqual(3);
  expect(readFired(rootfs)).toContain('saysCrashed /status');
});

test('an agent that flaps stays what it is', async () => {
  const before = readFired(rootfs).length;
  const { rows } = await app.database.pool.query('SELECT max(seq)::int AS seq FROM journal');

  setFaults({ answers: { '/health': 'flap' } });
  await until(() => readFired(rootfs).length >= before + 8, { what: 'the flapping', ...IN_TIME });
  setFaults({});

  const told = await app.database.pool.query(
    `SELECT event FROM journal WHERE seq > $1 AND event ->> 'condition' <> 'ready'`,
    [rows[0].seq],
  );
  expect(told.rows).toEqual([]);
});

test('power that is taken by hand, and a container that vanishes', async () => {
  await proxmox.powerOff(vmid);
  await hostReason('stopped_outside');
  const off = await look();
  await proxmox.vanish(vmid);
  await hostReason('vanished');

  expect(off).toMatchObject({ hostStatus: 'stopped', agentReady: false });
  expect(await look()).toMatchObject({ status: 'host offline', agentReady: false });
});

test('sweeps come back by themselves when Redis has lost everything', async () => {
  const again = await alice.call('POST', '/api/instances', {
    body: ORDER,
    headers: { prefer: 'wait=20' },
  });
  const redis = new Redis(app.environment['REDIS_URL'] ?? '');
  const keys = await redis.keys(`${app.environment['REDIS_PREFIX']}:*`);
  await redis.del(...keys);
  redis.disconnect();

  await proxmox.powerOff(again.body.vmid);

  await until(
    async () => {
      const { body } = await alice.call('GET', `/api/servers/${again.body.vmid}/status`);
      return reasonOf(body, 'HostRunning') === 'stopped_outside';
    },
    { what: 'the sweep', timeoutMs: 15_000 },
  );
  expect(keys.length).toBeGreaterThan(0);
});
