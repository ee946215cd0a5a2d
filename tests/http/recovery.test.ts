import { afterAll, expect, test } from 'vitest';

import { readFired, writeFaults } from '../../lab/agent/faults.ts';
import { ALICE, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp({
  environment: { POLL_INTERVAL_MS: '200', GAME_RESTARTS_MAX: '2' },
});
afterAll(() => app[Symbol.asyncDispose]());
const alice = await app.signIn(ALICE);

async function create(): Promise<number> {
  const body = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
  const headers = { prefer: 'wait=20' };
  return (await alice.call('POST', '/api/instances', { body, headers })).body.vmid;
}
const read = async (vmid: number) => (await alice.call('GET', `/api/servers/${vmid}/status`)).body;
const reasonOf = ({ conditions }: Awaited<ReturnType<typeof read>>) =>
  conditions.find(({ type }: { type: string }) => type === 'AgentReady').reason;
const rootfs = (vmid: number) =>
  app.proxmox.containers().find((one) => one.vmid === vmid)?.rootfs ?? '';

test('a game that dies is started again, given up when that is of no use, and well again by hand', async () => {
  const vmid = await create();
  writeFaults(rootfs(vmid), { crashOnStart: true });

  await alice.call('POST', `/api/servers/${vmid}/game/restart`);
  const given = await until(
    async () => {
      const status = await read(vmid);
      return reasonOf(status) === 'restart_budget_spent' && status;
    },
    { what: 'the budget to be spent', timeoutMs: 20_000 },
  );
  const { rows } = await app.database.pool.query(
    `SELECT count(*)::int AS n FROM journal WHERE vmid = $1 AND event ->> 'type' = 'agent.restarted'`,
    [vmid],
  );
  writeFaults(rootfs(vmid), {});
  await alice.call('POST', `/api/servers/${vmid}/game/start`);
  const well = await until(
    async () => {
      const status = await read(vmid);
      return status.agentReady && status;
    },
    { what: 'the game to be ready again', timeoutMs: 20_000 },
  );

  expect(given).toMatchObject({ status: 'crashed', agentReady: false, crashCount: 3 });
  expect(rows[0].n).toBe(2);
  expect(well).toMatchObject({ status: 'running', crashCount: 3 });
});

test('an agent that answers every other time stays what it was', async () => {
  const vmid = await create();
  writeFaults(rootfs(vmid), { answers: { '/health': 'flap' } });
  await until(() => readFired(rootfs(vmid)).length >= 8, {
    what: 'the flapping',
    timeoutMs: 20_000,
  });

  const { rows } = await app.database.pool.query(
    `SELECT count(*)::int AS n FROM journal
     WHERE vmid = $1 AND event ->> 'condition' = 'unreachable'`,
    [vmid],
  );

  expect(rows[0].n).toBe(0);
  expect(await read(vmid)).toMatchObject({ status: 'running', agentReady: true });
});
