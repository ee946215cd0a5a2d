import { expect, test } from 'vitest';

import { pingMinecraft } from '../../lab/minecraft-client.ts';
import { ALICE, startTestApp } from '../support/app.ts';

const ORDER = {
  ctype: 'game',
  game: 'minecraft',
  variant: 'vanilla',
  version: '1.20.4',
  memoryMiB: 2048,
};

test('a Minecraft server is ordered, answers a real client, and is deleted without a trace', async () => {
  await using app = await startTestApp();
  const alice = await app.signIn(ALICE);

  const created = await alice.call('POST', '/api/instances', {
    body: ORDER,
    headers: { prefer: 'wait=30' },
  });
  const { vmid } = created.body;
  const status = await alice.call('GET', `/api/servers/${vmid}/status`);
  const [port] = status.body.ports;
  const pong = await pingMinecraft(status.body.ip, port);
  const pids = app.proxmox.containers().find((one) => one.vmid === vmid)?.pids ?? [];
  const deleted = await alice.call('DELETE', `/api/containers/${vmid}?force=true`, {
    headers: { prefer: 'wait=30' },
  });

  expect(created).toMatchObject({ status: 200, body: { operation: { state: 'succeeded' } } });
  expect(status.body).toMatchObject({
    status: 'running',
    agentReady: true,
    readySource: 'minecraft_ping',
    hostStatus: 'running',
  });
  expect(pong.version.name).toContain('1.20');
  expect(deleted).toMatchObject({ status: 200, body: { result: 'deleted' } });
  expect(pids.length).toBeGreaterThan(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(app.proxmox.containers().map((one) => one.vmid)).toEqual([app.proxmox.templateVmid]);
  expect(await remains(app.database.pool)).toEqual({
    container_instance: 0,
    effect: 0,
    timer: 0,
    vmid_reservation: 0,
    debt: 0,
    deleted_instance: 1,
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function remains(pool: { query(text: string): Promise<{ rows: { n: number }[] }> }) {
  const tables = [
    'container_instance',
    'effect',
    'timer',
    'vmid_reservation',
    'debt',
    'deleted_instance',
  ];
  const counts: Record<string, number> = {};
  for (const table of tables) {
    const { rows } = await pool.query(`SELECT count(*)::int AS n FROM ${table}`);
    counts[table] = rows[0]?.n ?? -1;
  }
  return counts;
}
