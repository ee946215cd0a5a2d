import { describe, expect, test } from 'vitest';

import { parseUpid } from '../../src/clients/proxmox/upid.ts';
import { until } from '../support/until.ts';
import { type Place, startWorld } from './proxmox-world.ts';

const world = startWorld();
const { clone, connect, finished, plan, sent, startClone } = world;

describe('a lost answer', () => {
  test('to a clone: nothing is sent again, and the task is found', async () => {
    const vmid = world.nextVmid();
    const fault = plan({ kind: 'drop_after' }, '/clone$');
    const before = sent('POST', /\/clone$/);

    const upid = await startClone(vmid);
    const end = await finished(upid);

    expect(fault.fired).toBe(1);
    expect(sent('POST', /\/clone$/)).toBe(before + 1);
    expect(parseUpid(upid)).toMatchObject({
      type: 'vzclone',
      id: String(world.proxmox.templateVmid),
    });
    expect(end).toEqual({ warnings: 0 });
    expect(await world.client.readConfig({ node: world.templateNode(), vmid })).toMatchObject({
      hostname: `mc-${vmid}`,
    });
  });

  test('to a clone that never reached the server: somebody else’s task is not taken for it', async () => {
    const [theirs, ours] = [world.nextVmid(), world.nextVmid()];
    await using other = connect();
    await finished(startClone(theirs, other));
    const fault = plan({ kind: 'drop_before' }, '/clone$');

    await expect(startClone(ours)).rejects.toMatchObject({ reason: 'no_answer', retryable: true });

    expect(fault.fired).toBe(1);
    expect(await world.client.findContainer(ours)).toBeNull();
  });

  test.each([
    ['start', (place: Place) => world.client.startContainer(place), 'vzstart'],
    ['stop', (place: Place) => world.client.stopContainer(place), 'vzstop'],
    ['reboot', (place: Place) => world.client.rebootContainer(place), 'vzreboot'],
  ])('to a %s: the task is found', async (verb, act, type) => {
    const place = await clone();
    if (verb !== 'start') await finished(world.client.startContainer(place));
    const path = `/lxc/${place.vmid}/status/${verb}$`;
    const fault = plan({ kind: 'drop_after' }, path);

    const upid = await act(place);
    await finished(upid);

    expect(fault.fired).toBe(1);
    expect(sent('POST', new RegExp(path))).toBe(1);
    expect(parseUpid(upid)).toMatchObject({ type, id: String(place.vmid) });
  });

  test('to a destruction: the task is found, although the container is gone', async () => {
    const place = await clone();
    const path = `/lxc/${place.vmid}$`;
    const fault = plan({ kind: 'drop_after' }, path, 'DELETE');

    const upid = await world.client.destroyContainer({ ...place, force: true, purge: true });
    await finished(upid);

    expect(fault.fired).toBe(1);
    expect(sent('DELETE', new RegExp(path))).toBe(1);
    expect(await world.client.findContainer(place.vmid)).toBeNull();
  });

  test('an earlier task of ours is not taken for the one that never began', async () => {
    const place = await clone();
    await finished(world.client.startContainer(place));
    await finished(world.client.stopContainer(place));
    plan({ kind: 'drop_before' }, `/lxc/${place.vmid}/status/start$`);

    const lost = world.client.startContainer(place);

    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    expect(await world.client.readStatus(place)).toMatchObject({ status: 'stopped' });
  });

  test('is looked for also when the deadline has passed and the work begins late', async () => {
    const place = await clone();
    await using hasty = connect({ timeoutMs: 100 });
    const path = `/lxc/${place.vmid}/status/start$`;
    const fault = plan({ kind: 'hang' }, path);

    const pending = hasty.startContainer(place);
    await until(() => fault.fired === 1, { what: 'the request' });
    // Stands for the server, which gets round to the request after we have stopped to listen.
    const late = await world.client.startContainer(place);
    const upid = await pending;

    expect(upid).toBe(late);
    expect(await finished(upid)).toEqual({ warnings: 0 });
  });

  test('that never comes ends as no answer, which may be asked again', async () => {
    const place = await clone();
    await using hasty = connect({ timeoutMs: 100 });
    const fault = plan({ kind: 'hang' }, `/lxc/${place.vmid}/status/start$`);

    const lost = hasty.startContainer(place);

    await expect(lost).rejects.toMatchObject({ reason: 'no_answer', retryable: true });
    expect(fault.fired).toBe(1);
  });

  test('a question is asked once more, and only once', async () => {
    const once = plan({ kind: 'drop_before' }, '/cluster/resources', 'GET');
    expect(await world.client.findContainer(world.proxmox.templateVmid)).not.toBeNull();
    const twice = plan({ kind: 'drop_before', times: 2 }, '/cluster/resources', 'GET');

    await expect(world.client.listContainers()).rejects.toMatchObject({ reason: 'no_answer' });

    expect([once.fired, twice.fired]).toEqual([1, 2]);
  });
});

describe('a lost answer to a clone, while others clone the same template', () => {
  const slow = startWorld({ cloneMs: 800 });

  test('the one that runs is ours, because it holds the lock of the template', async () => {
    const [theirs, ours] = [slow.nextVmid(), slow.nextVmid()];
    await using other = slow.connect();
    const theirUpid = await slow.startClone(theirs, other);
    await slow.finished(theirUpid);
    const fault = slow.plan({ kind: 'drop_after' }, '/clone$');

    const upid = await slow.startClone(ours);
    await slow.finished(upid);

    expect(fault.fired).toBe(1);
    expect(upid).not.toBe(theirUpid);
    expect(await slow.client.readConfig({ node: slow.templateNode(), vmid: ours })).toMatchObject({
      lock: null,
      hostname: `mc-${ours}`,
    });
  });
});
