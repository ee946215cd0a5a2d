import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { agentOf, setUp } from './proxmox-world.ts';

const BUSY = "can't lock file '/run/lock/lxc/pve-config-5001.lock' - got timeout";

describe('the lock of the configuration file', () => {
  test('when it stays busy a write fails at once, and a task with its exit status', async () => {
    await using t = await setUp({ delays: { lockWaitMs: 20 } });
    const path = await t.cloned(5001);
    using _held = await t.proxmox.holdConfigLock(5001);

    const written = await t.api.put(`${path}/config`, { cores: 2 });
    const started = await t.api.run('POST', `${path}/status/start`);
    const destroyed = await t.api.run('DELETE', path);

    expect(written).toMatchObject({ status: 500, reason: BUSY });
    expect([started, destroyed]).toEqual([BUSY, BUSY]);
    expect(t.snapshot(5001)?.status).toBe('stopped');
  });

  test('when it is released in time the waiting goes on', async () => {
    await using t = await setUp({ delays: { lockWaitMs: 10_000 } });
    const path = await t.cloned(5001);
    const held = await t.proxmox.holdConfigLock(5001);

    const started = await t.api.post(`${path}/status/start`);
    held[Symbol.dispose]();

    expect((await t.api.taskEnd(started.data)).exitstatus).toBe('OK');
  });

  test('a stop may overrule the shutdown that holds it', async () => {
    await using t = await setUp({ agentFaults: { ignoreShutdown: true } });
    const path = await t.started(5001);
    await agentOf(t.proxmox, 5001);
    const shutdown = await t.api.post(`${path}/status/shutdown`, { timeout: 60 });

    const late = await t.api.run('POST', `${path}/status/stop`);
    const stopped = await t.api.run('POST', `${path}/status/stop`, { 'overrule-shutdown': 1 });

    expect([late, stopped]).toEqual([BUSY, 'OK']);
    expect((await t.api.taskEnd(shutdown.data)).exitstatus).toBe('received interrupt');
    expect(t.snapshot(5001)?.status).toBe('stopped');
  });
});

describe('the lock in the configuration', () => {
  test('while a clone runs its source refuses another one, and both show their locks', async () => {
    await using t = await setUp({ delays: { cloneMs: 200 } });

    const first = await t.api.post('/nodes/pve1/lxc/9000/clone', { newid: 5001, full: 1 });
    const second = await t.api.post('/nodes/pve1/lxc/9000/clone', { newid: 5002, full: 1 });
    const during = await t.api.get('/cluster/resources?type=vm');
    await t.api.taskEnd(first.data);
    const third = await t.api.post('/nodes/pve1/lxc/9000/clone', { newid: 5002, full: 1 });

    expect(second).toMatchObject({ status: 500, reason: 'CT is locked (disk)' });
    expect(during.data).toMatchObject([
      { vmid: 5001, lock: 'create' },
      { vmid: 9000, lock: 'disk' },
    ]);
    expect(third.status).toBe(200);
  });

  test('a lab that does not care clones side by side', async () => {
    await using t = await setUp({ cloneLocksSource: false });
    const clone = (newid: number) => t.api.run('POST', '/nodes/pve1/lxc/9000/clone', { newid });

    const ends = await Promise.all([5001, 5002, 5003].map(clone));

    expect(ends).toEqual(['OK', 'OK', 'OK']);
  });

  test('an interrupted clone leaves nothing behind and gives the source back', async () => {
    await using t = await setUp({ delays: { cloneMs: 60_000 } });
    const begun = await t.api.post('/nodes/pve1/lxc/9000/clone', { newid: 5001, full: 1 });
    const upid = encodeURIComponent(String(begun.data));

    const active = await t.api.get('/nodes/pve1/tasks?source=active&vmid=9000');
    await t.api.delete(`/nodes/pve1/tasks/${upid}`);
    const { exitstatus } = await t.api.taskEnd(begun.data);

    expect(active.data).toMatchObject([{ upid: begun.data, status: 'RUNNING' }]);
    expect(exitstatus).toBe('clone failed: received interrupt');
    expect(t.snapshot(5001)).toBeUndefined();
    expect(t.snapshot(9000)?.lock).toBeUndefined();
  });
});

test('a clone that is removed by hand while it is made fails, and stays removed', async () => {
  await using t = await setUp({ delays: { cloneMs: 50 } });
  const begun = await t.api.post('/nodes/pve1/lxc/9000/clone', { newid: 5001, full: 1 });

  await t.proxmox.vanish(5001);
  const { exitstatus } = await t.api.taskEnd(begun.data);

  expect(exitstatus).toBe("clone failed: Lost 'create' config lock, aborting.");
  expect(existsSync(join(t.dataDir, 'containers', '5001'))).toBe(false);
});

describe('the list of tasks', () => {
  test('is filtered, counted in full and newest first', async () => {
    await using t = await setUp();
    const since = Math.floor(Date.now() / 1000);
    const path = await t.started(5001);
    await t.api.run('POST', `${path}/status/stop`);
    const list = async (query: string) =>
      (await t.api.get(`/nodes/pve1/tasks?since=${since}&${query}`)).body;

    expect(await list('limit=1')).toMatchObject({ data: [{ type: 'vzstop' }], total: 3 });
    expect(await list('vmid=5001&typefilter=vzstart')).toMatchObject({
      data: [{ type: 'vzstart', id: '5001', user: 'zpack@pve', tokenid: 'api', status: 'OK' }],
      total: 1,
    });
    expect(await list('errors=1')).toMatchObject({ data: [], total: 0 });
    expect(await list('source=active')).toMatchObject({ data: [], total: 0 });
    expect(await list('until=1')).toMatchObject({ data: [], total: 0 });
  });

  test('a created container is one more', async () => {
    await using t = await setUp();

    const order = { vmid: 5001, ostemplate: 'local:vztmpl/x', hostname: 'made', start: 1 };
    const created = await t.api.run('POST', '/nodes/pve2/lxc', order);

    expect(created).toBe('OK');
    await until(() => t.snapshot(5001)?.status === 'running', { what: 'the created container' });
    expect(t.snapshot(5001)).toMatchObject({ node: 'pve2', hostname: 'made', lock: undefined });
  });
});
