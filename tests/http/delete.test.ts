import { afterAll, describe, expect, test } from 'vitest';

import { ADMIN, ALICE, BOB, startTestApp } from '../support/app.ts';
import { until } from '../support/until.ts';

const app = await startTestApp();
afterAll(() => app[Symbol.asyncDispose]());
const [alice, bob, admin] = [
  await app.signIn(ALICE),
  await app.signIn(BOB),
  await app.signIn(ADMIN),
];

const ORDER = { ctype: 'game', game: 'terraria', version: '1.4.4', memoryMiB: 512 };
const WAIT = { prefer: 'wait=20' };

async function create(headers: Record<string, string> = WAIT) {
  const { body } = await alice.call('POST', '/api/instances', { body: ORDER, headers });
  return body.vmid as number;
}
const remove = (client: typeof alice, vmid: number, query = '', headers = WAIT) =>
  client.call('DELETE', `/api/containers/${vmid}${query}`, { headers });
const onProxmox = (vmid: number) => app.proxmox.containers().find((one) => one.vmid === vmid);

describe('DELETE /api/containers/:vmid', () => {
  test('refuses a server in service, says why, and what would be allowed', async () => {
    const vmid = await create();

    const answer = await remove(alice, vmid);

    expect(answer.status).toBe(409);
    expect(answer.body).toMatchObject({
      error: 'container_running',
      allowedActions: expect.arrayContaining(['stop', 'restart', 'force_delete']),
    });
    expect(onProxmox(vmid)?.status).toBe('running');
  });

  test('stops it first with force=true', async () => {
    const vmid = await create();

    const answer = await remove(alice, vmid, '?force=true');

    expect(answer).toMatchObject({ status: 200, body: { result: 'deleted' } });
    expect(onProxmox(vmid)).toBeUndefined();
  });

  test('of one that is still being made ends what is made of it', async () => {
    const vmid = await create({ prefer: 'wait=0' });

    const answers = await Promise.all([remove(alice, vmid), remove(alice, vmid)]);

    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(onProxmox(vmid)).toBeUndefined();
  });

  test('of a failed create needs no force, and a retry before it is possible', async () => {
    const fault = app.proxmox.faults.plan({
      method: 'POST',
      path: /\/clone$/,
      kind: 'task_fails',
      exitstatus: 'no space left on device',
      times: 1,
    });
    const vmid = await create();
    const failed = await alice.call('GET', `/api/servers/${vmid}/status`);
    const headers = { ...WAIT, 'idempotency-key': 'again' };
    const retried = await alice.call('POST', `/api/servers/${vmid}/retry`, { headers });
    const repeated = await alice.call('POST', `/api/servers/${vmid}/retry`, { headers });
    await remove(alice, vmid, '?force=true');

    expect(fault.fired).toBe(1);
    expect(failed.body).toMatchObject({
      status: 'error',
      operation: { state: 'failed', error: { step: 'clone', code: 'task_failed' } },
      allowedActions: ['retry', 'delete', 'force_delete'],
    });
    expect(retried.body.operation).toMatchObject({ kind: 'retry', state: 'succeeded' });
    expect(repeated.headers.get('idempotent-replayed')).toBe('true');
    expect(repeated.body.operation).toEqual(retried.body.operation);
    expect(onProxmox(vmid)).toBeUndefined();
  });

  test('removes an orphan that only Proxmox knows, for whom it belonged to', async () => {
    const vmid = await create();
    const { rows } = await app.database.pool.query(
      'SELECT id FROM container_instance WHERE vmid = $1',
      [vmid],
    );
    await remove(alice, vmid, '?force=true');
    app.proxmox.make(vmid, { description: `zpack:${rows[0].id}` });

    const stranger = await remove(bob, vmid);
    const owner = await remove(alice, vmid);

    expect(stranger.status).toBe(404);
    expect(owner).toMatchObject({ status: 202, body: { result: 'owed' } });
    await until(() => onProxmox(vmid) === undefined, {
      what: 'the orphan to be removed',
      timeoutMs: 25_000,
    });
  });

  test('never touches a container without our marker', async () => {
    app.proxmox.make(5900);

    expect((await remove(admin, 5900)).status).toBe(409);
    expect((await remove(alice, 5900)).status).toBe(404);
    expect(onProxmox(5900)).toBeDefined();
  });

  test('of what only the archive knows gives back what is left of it', async () => {
    const vmid = await create();
    await remove(alice, vmid, '?force=true');

    expect(await remove(alice, vmid)).toMatchObject({
      status: 200,
      body: { result: 'no_change', operation: null },
    });
    expect((await remove(bob, vmid)).status).toBe(404);
  });
});
