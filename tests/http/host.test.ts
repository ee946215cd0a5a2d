import { afterAll, describe, expect, test } from 'vitest';

import { writeFaults } from '../../lab/agent/faults.ts';
import { ALICE } from '../support/app.ts';
import { until } from '../support/until.ts';
import { startHostWorld, WAIT } from './host-world.ts';

const world = await startHostWorld();
afterAll(() => world[Symbol.asyncDispose]());
const { app, alice, bob, admin, aliceElsewhere } = world;
const { create, power, hostStatus, onProxmox, tasksOf } = world;

describe('power', () => {
  test('is accepted with an operation, which ends by itself and can be followed', async () => {
    const vmid = await create();

    const stop = await power(alice, vmid, 'stop', {});
    const { id } = stop.body.operation;
    const operation = `/api/servers/${vmid}/operations/${id}`;
    const ended = await alice.call('GET', operation, { headers: WAIT });

    expect(stop).toMatchObject({
      status: 202,
      body: {
        ok: true,
        operation: { kind: 'stop', state: 'running', step: 'shutdown', requestedBy: ALICE },
        statusUrl: `/api/servers/${vmid}/host/status`,
      },
    });
    expect(stop.headers.get('location')).toBe(operation);
    expect(stop.headers.get('retry-after')).toBe('2');
    expect(ended.body.operation).toMatchObject({
      id,
      state: 'succeeded',
      upid: expect.stringContaining(`:vzshutdown:${vmid}:`),
      error: null,
    });
    expect(onProxmox(vmid)?.status).toBe('stopped');
    expect(await hostStatus(vmid)).toMatchObject({
      hostStatus: 'stopped',
      powerState: 'stopped',
      running: false,
      node: 'pve1',
      operation: { id, state: 'succeeded' },
    });
  });

  test('start, stop and restart are one task each', async () => {
    const vmid = await create();
    const pids = onProxmox(vmid)?.pids;

    const restart = await power(alice, vmid, 'restart');
    const after = onProxmox(vmid)?.pids;
    await power(alice, vmid, 'stop');
    const start = await power(alice, vmid, 'start');

    expect(restart).toMatchObject({ status: 200, body: { operation: { state: 'succeeded' } } });
    expect(after).not.toEqual(pids);
    expect(start).toMatchObject({ status: 200, body: { operation: { state: 'succeeded' } } });
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzreboot', 'vzshutdown', 'vzstart']);
    expect(onProxmox(vmid)?.status).toBe('running');
  });

  test('that is as wanted already is no change, and nothing is asked of Proxmox', async () => {
    const vmid = await create();
    const before = await tasksOf(vmid);

    const start = await power(alice, vmid, 'start');

    expect(start).toMatchObject({
      status: 200,
      body: { result: 'no_change', operation: { kind: 'start', state: 'succeeded' } },
    });
    expect(await tasksOf(vmid)).toEqual(before);
  });

  test('is refused with a reason where it makes no sense', async () => {
    const vmid = await create();
    await power(alice, vmid, 'stop');

    expect(await power(alice, vmid, 'restart')).toMatchObject({
      status: 409,
      body: { error: 'host_not_running', allowedActions: ['start', 'delete', 'force_delete'] },
    });
  });

  test('clicked by many at once, at two nodes, is one operation and one task', async () => {
    const vmid = await create();

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        power(i % 2 ? alice : aliceElsewhere, vmid, 'restart', {}),
      ),
    );

    const accepted = answers.filter(({ status }) => status === 202);
    expect(accepted).toHaveLength(1);
    const [{ body }] = accepted as [(typeof answers)[number]];
    for (const { status, body: refusal } of answers.filter((one) => one.status !== 202)) {
      expect(status).toBe(409);
      expect(refusal).toMatchObject({
        error: 'host_operation_in_progress',
        operation: { id: body.operation.id, kind: 'restart', state: 'running' },
        statusUrl: `/api/servers/${vmid}/host/status`,
      });
    }
    await alice.call('GET', `/api/servers/${vmid}/operations/${body.operation.id}`, {
      headers: WAIT,
    });
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzreboot']);
  });

  test('a container that does not hear is stopped hard, in a step of its own', async () => {
    const vmid = await create();
    writeFaults(onProxmox(vmid)?.rootfs ?? '', { ignoreShutdown: true });

    const stop = await power(alice, vmid, 'stop');

    expect(stop.body.operation).toMatchObject({ state: 'succeeded', step: 'stop' });
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzshutdown', 'vzstop']);
    expect(onProxmox(vmid)).toMatchObject({ status: 'stopped', pids: [] });
  });

  test('of a locked container waits for the lock, inside the deadline', async () => {
    const vmid = await create();
    app.proxmox.setLock(vmid, 'backup');
    const stop = await power(alice, vmid, 'stop', {});
    const { id } = stop.body.operation;
    await until(async () => (await tasksOf(vmid)).length >= 3, {
      what: 'two attempts',
      timeoutMs: 10_000,
    });
    app.proxmox.setLock(vmid, null);

    const ended = await alice.call('GET', `/api/servers/${vmid}/operations/${id}`, {
      headers: WAIT,
    });

    expect(ended.body.operation).toMatchObject({ state: 'succeeded' });
    expect(onProxmox(vmid)?.status).toBe('stopped');
  });

  test('whose answer is lost is not asked for twice', async () => {
    const vmid = await create();
    const fault = app.proxmox.faults.plan({
      method: 'POST',
      path: new RegExp(`/lxc/${vmid}/status/reboot$`),
      kind: 'drop_after',
      times: 1,
    });

    const restart = await power(alice, vmid, 'restart');

    expect(fault.fired).toBe(1);
    expect(restart.body.operation).toMatchObject({ state: 'succeeded' });
    expect(await tasksOf(vmid)).toEqual(['vzstart', 'vzreboot']);
  });

  test('that Proxmox cannot give ends with its reason, and the state is what is true', async () => {
    const vmid = await create();
    await power(alice, vmid, 'stop');
    const fault = app.proxmox.faults.plan({
      method: 'POST',
      path: new RegExp(`/lxc/${vmid}/status/start$`),
      kind: 'task_fails',
      exitstatus: 'startup for container failed',
      times: 1,
    });

    const start = await power(alice, vmid, 'start');

    expect(fault.fired).toBe(1);
    expect(start.body.operation).toMatchObject({
      state: 'failed',
      error: { step: 'start', code: 'task_failed' },
    });
    await until(async () => (await hostStatus(vmid)).hostStatus === 'stopped', {
      what: 'the truth to be found out',
    });
  });
});

test("somebody else's container is not there, and Proxmox is not asked about it", async () => {
  const vmid = await create();
  const asked = () =>
    app.proxmox.requests().filter(({ path }) => path.includes(`/${vmid}/`)).length;
  const before = asked();

  for (const [method, path] of [
    ['POST', `/api/servers/${vmid}/host/stop`],
    ['GET', `/api/servers/${vmid}/host/status`],
    ['GET', `/api/servers/${vmid}/operations`],
    ['POST', `/api/servers/${vmid}/game/stop`],
  ] as const) {
    expect((await bob.call(method, path)).status, path).toBe(404);
    expect((await app.anonymous.call(method, path)).status, path).toBe(401);
  }
  expect(asked()).toBe(before);
  expect((await admin.call('GET', `/api/servers/${vmid}/host/status`)).status).toBe(200);
});
