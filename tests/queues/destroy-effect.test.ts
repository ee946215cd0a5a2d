import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { setUpEffects } from './effects-world.ts';

const DESTROYED = { type: 'container.destroyed', opId: '1' };
const OWN_PATH = /\/lxc\/5001$/;

describe('a destruction', () => {
  test('of what is not there has happened already', async () => {
    await using t = await setUpEffects();

    const outcome = await t.node.perform('container.destroy', 5001, {});

    expect(outcome).toEqual(DESTROYED);
    expect(t.sent('DELETE', OWN_PATH)).toBe(0);
  });

  test('leaves somebody else’s container alone, which means that ours is gone', async () => {
    await using t = await setUpEffects();
    await t.foreign(5001);

    const outcome = await t.node.perform('container.destroy', 5001, {});

    expect(outcome).toEqual(DESTROYED);
    expect(t.snapshot(5001)).toMatchObject({ description: 'do not touch' });
    expect(t.sent('DELETE', OWN_PATH)).toBe(0);
  });

  test('of a container that runs pulls the plug first', async () => {
    await using t = await setUpEffects();
    await t.running(5001);

    const outcome = await t.node.perform('container.destroy', 5001, {});

    expect(outcome).toEqual(DESTROYED);
    expect(t.snapshot(5001)).toBeUndefined();
    expect(await t.tasks('vzstop')).toEqual(['OK']);
  });

  test('of a container that is being cloned waits for the clone', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 150 } });
    const superseded = new AbortController();
    const cloning = t.node
      .perform('container.clone', 5001, { hostname: 'mc' }, { signal: superseded.signal })
      .catch((error: unknown) => error);
    await until(() => t.snapshot(5001)?.lock === 'create', { what: 'the clone to begin' });
    superseded.abort(new Error('deleted'));
    await cloning;

    const outcome = await t.nodes[1].perform('container.destroy', 5001, {});

    expect(outcome).toEqual(DESTROYED);
    expect(t.snapshot(5001)).toBeUndefined();
    expect(await t.tasks('vzclone')).toEqual(['OK']);
  });

  test('whose answer is lost is asked for once', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);
    const fault = t.proxmox.faults.plan({ method: 'DELETE', path: OWN_PATH, kind: 'drop_after' });

    const outcome = await t.node.perform('container.destroy', 5001, {});

    expect(fault.fired).toBe(1);
    expect(outcome).toEqual(DESTROYED);
    expect(t.sent('DELETE', OWN_PATH)).toBe(1);
  });

  test.each([
    ['backup', 'container_locked', true],
    ['migrate', 'container_locked', true],
  ])('of a container locked by a %s fails, and may be tried again', async (lock, reason, is) => {
    await using t = await setUpEffects();
    await t.clone(5001);
    t.proxmox.setLock(5001, lock);

    const attempt = t.node.perform('container.destroy', 5001, {});

    await expect(attempt).rejects.toMatchObject({ reason, retryable: is });
    expect(t.snapshot(5001)).toBeDefined();
  });
});

describe('a container that is changed by hand while it is destroyed', () => {
  test('and is gone when we come to stop it, is destroyed', async () => {
    await using t = await setUpEffects();
    await t.running(5001);
    const path = /\/lxc\/5001\/status\/stop$/;
    const late = t.proxmox.faults.plan({ method: 'POST', path, kind: 'delay', ms: 100 });

    const destruction = t.node.perform('container.destroy', 5001, {});
    await until(() => late.fired === 1, { what: 'the request to stop' });
    await t.proxmox.vanish(5001);

    expect(await destruction).toEqual(DESTROYED);
  });

  test('and moves to another node as we look, is found there', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);
    const path = /\/nodes\/pve1\/lxc\/5001\/config$/;
    const late = t.proxmox.faults.plan({ method: 'GET', path, kind: 'delay', ms: 100 });

    const destruction = t.node.perform('container.destroy', 5001, {});
    await until(() => late.fired === 1, { what: 'our look' });
    t.proxmox.migrate(5001, 'pve2');

    expect(await destruction).toEqual(DESTROYED);
    expect(t.snapshot(5001)).toBeUndefined();
  });

  test('and moves away before our order arrives, is not taken for gone', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);
    const late = t.proxmox.faults.plan({
      method: 'DELETE',
      path: OWN_PATH,
      kind: 'delay',
      ms: 100,
    });

    const destruction = t.node.perform('container.destroy', 5001, {});
    await until(() => late.fired === 1, { what: 'our order' });
    t.proxmox.migrate(5001, 'pve2');

    await expect(destruction).rejects.toMatchObject({ reason: 'container_moved', retryable: true });
    expect(await t.node.perform('container.destroy', 5001, {})).toEqual(DESTROYED);
    expect(t.snapshot(5001)).toBeUndefined();
  });
});
