import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { idOf, setUpEffects } from './effects-world.ts';

const CLONE_PATH = /\/lxc\/9000\/clone$/;

describe('a clone', () => {
  test('tells the task that makes it, and a successor attaches to that one', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 150 } });
    const dying = new AbortController();
    const first = t.node
      .perform('container.clone', 5001, { hostname: 'mc' }, { signal: dying.signal })
      .catch((error: unknown) => error);
    const [told] = await until(() => t.node.told.length > 0 && t.node.told, { what: 'the task' });
    dying.abort(new Error('this node dies'));
    await first;

    const upid = told?.type === 'task.started' ? told.upid : null;
    const outcome = await t.nodes[1].perform('container.clone', 5001, { hostname: 'mc' }, { upid });

    expect(told).toMatchObject({ type: 'task.started', opId: '1' });
    expect(outcome).toEqual({ type: 'container.cloned', opId: '1', node: 'pve1' });
    expect(t.sent('POST', CLONE_PATH)).toBe(1);
  });

  test('whose performer died before it could tell is waited for, not made again', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 150 } });
    const dying = new AbortController();
    const first = t.node
      .perform('container.clone', 5001, { hostname: 'mc' }, { signal: dying.signal })
      .catch((error: unknown) => error);
    await until(() => t.snapshot(5001), { what: 'the clone to begin' });
    dying.abort(new Error('this node dies'));
    await first;

    const outcome = await t.nodes[1].perform('container.clone', 5001, { hostname: 'mc' });

    expect(outcome).toMatchObject({ type: 'container.cloned' });
    expect(t.snapshot(5001)?.lock).toBeUndefined();
    expect(await t.tasks('vzclone')).toEqual(['OK']);
  });

  test('whose answer is lost is one container', async () => {
    await using t = await setUpEffects();
    const fault = t.proxmox.faults.plan({ method: 'POST', path: CLONE_PATH, kind: 'drop_after' });

    const outcome = await t.clone(5001);

    expect(fault.fired).toBe(1);
    expect(outcome).toMatchObject({ type: 'container.cloned' });
    expect(t.sent('POST', CLONE_PATH)).toBe(1);
    expect(await t.tasks('vzclone')).toEqual(['OK']);
  });

  test('that never reached Proxmox is left to be asked for again, and then made', async () => {
    await using t = await setUpEffects();
    const fault = t.proxmox.faults.plan({ method: 'POST', path: CLONE_PATH, kind: 'drop_before' });

    await expect(t.clone(5001)).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    const outcome = await t.clone(5001);

    expect(fault.fired).toBe(1);
    expect(outcome).toMatchObject({ type: 'container.cloned' });
    expect(await t.tasks('vzclone')).toEqual(['OK']);
  });

  test('whose task fails says so and leaves nothing, so that the next attempt succeeds', async () => {
    await using t = await setUpEffects();
    t.proxmox.faults.plan({
      method: 'POST',
      path: CLONE_PATH,
      kind: 'task_fails',
      exitstatus: 'clone failed: disk full',
    });

    await expect(t.clone(5001)).rejects.toMatchObject({ reason: 'task_failed' });
    const between = t.snapshot(5001);
    const outcome = await t.clone(5001);

    expect(between).toBeUndefined();
    expect(outcome).toMatchObject({ type: 'container.cloned' });
  });

  test('that Proxmox cut off and left locked is reported, and not taken for done', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);
    t.proxmox.setLock(5001, 'create');

    const attempt = t.clone(5001);

    await expect(attempt).rejects.toMatchObject({ reason: 'container_locked', retryable: true });
  });

  test('of a template that is not there says so', async () => {
    await using t = await setUpEffects();
    await t.proxmox.vanish(9000);

    const attempt = t.clone(5001);

    await expect(attempt).rejects.toMatchObject({ reason: 'template_missing', retryable: false });
  });
});

describe('a number that somebody else uses', () => {
  test('is refused as taken, and their container is not touched', async () => {
    await using t = await setUpEffects();
    await t.foreign(5001);
    const before = await t.api.get('/nodes/pve1/lxc/5001/config');

    const attempt = t.clone(5001);

    await expect(attempt).rejects.toMatchObject({ reason: 'vmid_taken', retryable: false });
    expect((await t.api.get('/nodes/pve1/lxc/5001/config')).data).toEqual(before.data);
    expect(t.sent('POST', CLONE_PATH)).toBe(0);
  });

  test('is refused as taken also when they were faster by a moment', async () => {
    await using t = await setUpEffects();
    const late = t.proxmox.faults.plan({
      method: 'POST',
      path: CLONE_PATH,
      kind: 'delay',
      ms: 150,
    });

    const attempt = t.clone(5001).catch((error: unknown) => error);
    await until(() => late.fired === 1, { what: 'our request' });
    await t.foreign(5001);

    expect(await attempt).toMatchObject({ reason: 'vmid_taken' });
    expect(t.snapshot(5001)).toMatchObject({ hostname: 'theirs', description: 'do not touch' });
  });
});

describe('several clones of the template, which Proxmox locks while it is cloned,', () => {
  test('all succeed, whichever nodes ask for them', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 40 } });
    const vmids = [5001, 5002, 5003, 5004];

    const outcomes = await Promise.all(vmids.map((vmid, i) => t.clone(vmid, t.nodes[i % 2])));

    expect(outcomes).toEqual(Array(4).fill({ type: 'container.cloned', opId: '1', node: 'pve1' }));
    expect(vmids.map((vmid) => t.snapshot(vmid)?.description)).toEqual(
      vmids.map((vmid) => `zpack:${idOf(vmid)}`),
    );
    expect(await t.tasks('vzclone')).toEqual(Array(4).fill('OK'));
  });

  test('are found each, although the answers to two are lost', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 400 } });
    const fault = t.proxmox.faults.plan({
      method: 'POST',
      path: CLONE_PATH,
      kind: 'drop_after',
      times: 2,
    });

    const outcomes = await Promise.all([5001, 5002, 5003].map((vmid) => t.clone(vmid)));

    expect(fault.fired).toBe(2);
    expect(outcomes).toEqual(Array(3).fill({ type: 'container.cloned', opId: '1', node: 'pve1' }));
    expect(await t.tasks('vzclone')).toEqual(Array(3).fill('OK'));
  });

  test('do not hold up one that is called off while it waits for its turn', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 2_000 } });
    const [long, short] = [new AbortController(), new AbortController()];
    const first = t.node
      .perform('container.clone', 5001, { hostname: 'a' }, { signal: long.signal })
      .catch((error: unknown) => error);
    await until(() => t.snapshot(5001), { what: 'the first clone' });
    const second = t.node
      .perform('container.clone', 5002, { hostname: 'b' }, { signal: short.signal })
      .catch(() => t.snapshot(5001)?.lock);
    await until(() => t.sent('GET', /\/lxc\/5002\/config$/) > 0, { what: 'the second to look' });

    short.abort(new Error('superseded'));
    const lockOfFirst = await second;
    long.abort(new Error('the test is over'));
    await first;

    expect(lockOfFirst).toBe('create');
    expect(t.sent('POST', CLONE_PATH)).toBe(1);
  });
});
