import { describe, expect, test } from 'vitest';

import type { Fault } from '../../lab/proxmox/faults.ts';
import { setUp } from './proxmox-world.ts';

const START = { method: 'POST', path: /^\/nodes\/pve1\/lxc\/5001\/status\/start$/ } as const;
type Planned = Parameters<Awaited<ReturnType<typeof setUp>>['proxmox']['faults']['plan']>[0];

async function startWith(fault: Planned) {
  const t = await setUp();
  const path = await t.cloned(5001);
  const planned = t.proxmox.faults.plan(fault);
  const start = () => t.api.post(`${path}/status/start`);
  return { ...t, path, planned, start };
}

describe('planned faults', () => {
  test('drop_before: the connection breaks and nothing was done', async () => {
    await using t = await startWith({ ...START, kind: 'drop_before' });

    await expect(t.start()).rejects.toThrow('fetch failed');

    expect(t.planned.fired).toBe(1);
    expect(t.snapshot(5001)?.status).toBe('stopped');
    expect(t.proxmox.requests().filter(({ path }) => START.path.test(path))).toHaveLength(1);
  });

  test('drop_after: the answer is lost, but the task list knows', async () => {
    await using t = await startWith({ ...START, kind: 'drop_after' });

    await expect(t.start()).rejects.toThrow('fetch failed');
    const tasks = await t.api.get('/nodes/pve1/tasks?source=all&vmid=5001&typefilter=vzstart');
    const [task] = tasks.data as { upid: string }[];

    expect(t.planned.fired).toBe(1);
    expect((await t.api.taskEnd(task?.upid)).exitstatus).toBe('OK');
    expect(t.snapshot(5001)?.status).toBe('running');
  });

  test('status: the answer is what was planned, as often as planned', async () => {
    const text = 'cluster not ready - no quorum?';
    await using t = await startWith({ ...START, kind: 'status', status: 500, text, times: 2 });

    const answers = [await t.start(), await t.start(), await t.start()];

    expect(answers.map(({ status }) => status)).toEqual([500, 500, 200]);
    expect(answers[0]).toMatchObject({ reason: text, body: { data: null, message: `${text}\n` } });
    expect(t.planned.fired).toBe(2);
  });

  test('delay: it is done, later', async () => {
    await using t = await startWith({ ...START, kind: 'delay', ms: 50 });

    const from = performance.now();
    const answer = await t.start();

    expect(performance.now() - from).toBeGreaterThanOrEqual(45);
    expect(answer.status).toBe(200);
    expect(t.planned.fired).toBe(1);
  });

  test('hang: neither done nor answered', async () => {
    await using t = await startWith({ ...START, kind: 'hang' });

    const hanging = t.start().catch(() => 'gave up');
    await expect.poll(() => t.planned.fired).toBe(1);

    expect(t.snapshot(5001)?.status).toBe('stopped');
    // The end of the stand-in breaks the connection off.
    await t.proxmox[Symbol.asyncDispose]();
    expect(await hanging).toBe('gave up');
  });

  test.each([
    ['command failed', {}, 'stopped'],
    ['command failed', { afterEffect: true }, 'running'],
    ['WARNINGS: 1', {}, 'running'],
  ])('task_fails: exit status %j with %j leaves it %s', async (exitstatus, more, status) => {
    await using t = await startWith({ ...START, kind: 'task_fails', exitstatus, ...more });

    const begun = await t.start();
    const ended = await t.api.taskEnd(begun.data);

    expect(ended.exitstatus).toBe(exitstatus);
    expect(t.snapshot(5001)?.status).toBe(status);
    expect(t.planned.fired).toBe(1);
  });

  test('a clone that fails takes the half-made container away', async () => {
    await using t = await setUp();
    const path = /\/clone$/;
    const fault: Fault = { method: 'POST', path, kind: 'task_fails', exitstatus: 'no space left' };
    t.proxmox.faults.plan(fault);

    const end = await t.api.run('POST', '/nodes/pve1/lxc/9000/clone', { newid: 5001 });

    expect(end).toBe('no space left');
    expect(t.snapshot(5001)).toBeUndefined();
    expect(t.snapshot(9000)?.lock).toBeUndefined();
  });

  test('a fault that was taken back does not strike', async () => {
    await using t = await startWith({ ...START, kind: 'status', status: 595, text: 'x' });

    t.planned.cancel();
    const answer = await t.start();

    expect([answer.status, t.planned.fired]).toEqual([200, 0]);
  });
});
