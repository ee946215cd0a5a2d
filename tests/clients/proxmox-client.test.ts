import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { startWorld } from './proxmox-world.ts';

/** One stand-in for the whole file, since it starts real processes; every test has its own VMID. */
const world = startWorld();
const { clone, connect, finished, plan } = world;

describe('the life of a container', () => {
  test('is cloned, configured, started, stopped and destroyed, each as a task', async () => {
    const place = await clone();
    const settings = { cores: 2, memoryMiB: 512, net0: 'name=eth0,bridge=vmbr3,ip=dhcp' };
    await world.client.configureContainer({
      ...place,
      ...settings,
      tags: ['zpack', 'game'],
      onboot: true,
    });
    const config = await world.client.readConfig(place);

    const started = await finished(world.client.startContainer(place));
    const addresses = await until(
      async () => {
        const found = await world.client.listAddresses(place);
        return found.length > 0 && found;
      },
      { what: 'an address' },
    );
    const running = await world.client.readStatus(place);
    await finished(world.client.stopContainer(place));
    const addressesLater = await world.client.listAddresses(place);
    await finished(world.client.destroyContainer({ ...place, force: false, purge: true }));

    expect(config).toMatchObject({
      hostname: `mc-${place.vmid}`,
      description: 'zpack: epoch 1',
      lock: null,
      cores: 2,
      memoryMiB: 512,
      tags: expect.arrayContaining(['zpack', 'game']),
      template: false,
      onboot: true,
    });
    expect(started).toEqual({ warnings: 0 });
    expect(addresses).toEqual([expect.stringMatching(/^127\.\d+\.\d+\.\d+$/)]);
    expect(running).toMatchObject({ status: 'running', lock: null });
    expect(addressesLater).toEqual([]);
    expect(await world.client.readConfig(place)).toBeNull();
    expect(await world.client.readStatus(place)).toBeNull();
    expect(await world.client.findContainer(place.vmid)).toBeNull();
  });

  test('can be shut down and rebooted', async () => {
    const place = await clone();
    await finished(world.client.startContainer(place));

    await finished(world.client.rebootContainer({ ...place, timeoutS: 5 }));
    const between = await world.client.readStatus(place);
    await finished(world.client.shutdownContainer({ ...place, timeoutS: 5, forceStop: true }));

    expect(between).toMatchObject({ status: 'running' });
    expect(await world.client.readStatus(place)).toMatchObject({ status: 'stopped' });
  });

  test('its node is looked up, wherever it has moved', async () => {
    const place = await clone();
    const elsewhere = world.proxmox.nodes.find((node) => node !== place.node) ?? '';

    world.proxmox.migrate(place.vmid, elsewhere);

    expect(await world.client.findContainer(place.vmid)).toMatchObject({ node: elsewhere });
    expect(await world.client.readConfig(place)).toBeNull();
  });

  test('a number is free as long as nobody has it', async () => {
    const vmid = world.nextVmid();
    expect(await world.client.isVmidFree(vmid)).toBe(true);

    await clone(vmid);

    expect(await world.client.isVmidFree(vmid)).toBe(false);
    expect(await world.client.isVmidFree(world.proxmox.templateVmid)).toBe(false);
  });

  test('the list shows templates as such', async () => {
    const containers = await world.client.listContainers();

    const template = containers.find(({ vmid }) => vmid === world.proxmox.templateVmid);
    expect(template).toMatchObject({
      template: true,
      node: world.proxmox.nodes[0],
      status: 'stopped',
    });
  });
});

describe('what Proxmox refuses has a reason', () => {
  test('at once', async () => {
    const place = await clone();
    const nowhere = { ...place, vmid: 4_999 };

    await expect(clone(place.vmid)).rejects.toMatchObject({ reason: 'vmid_taken' });
    await expect(world.client.stopContainer(place)).rejects.toMatchObject({
      reason: 'not_running',
    });
    await expect(world.client.startContainer(nowhere)).rejects.toMatchObject({
      reason: 'container_missing',
    });
    await expect(
      world.client.configureContainer({ ...place, cores: 0, memoryMiB: 1, net0: 'x' }),
    ).rejects.toMatchObject({ reason: 'invalid_parameters', retryable: false });
    await finished(world.client.startContainer(place));
    await expect(world.client.startContainer(place)).rejects.toMatchObject({
      reason: 'already_running',
    });
    await expect(
      world.client.destroyContainer({ ...place, force: false, purge: true }),
    ).rejects.toMatchObject({ reason: 'container_is_running' });
  });

  test('at the end of the task', async () => {
    const place = await clone();
    world.proxmox.setLock(place.vmid, 'backup');

    const refused = finished(world.client.startContainer(place));

    await expect(refused).rejects.toMatchObject({ reason: 'container_locked', retryable: true });
    world.proxmox.setLock(place.vmid, null);
  });

  test('while another holds the lock of the configuration', async () => {
    const place = await clone();
    using _held = await world.proxmox.holdConfigLock(place.vmid);

    const settings = { cores: 1, memoryMiB: 64, net0: 'name=eth0,bridge=vmbr3,ip=dhcp' };
    const refused = world.client.configureContainer({ ...place, ...settings });

    await expect(refused).rejects.toMatchObject({ reason: 'lock_timeout', retryable: true });
  });

  test('a wrong secret, and it is not in the error', async () => {
    const tokenSecret = 'c0ffee00-dead-beef-0000-5ec2e7000000';
    await using stranger = connect({ tokenSecret });

    const error = await stranger.listContainers().catch((caught: unknown) => caught);

    expect(error).toMatchObject({ reason: 'unauthenticated', retryable: false });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(tokenSecret);
  });
});

describe('tasks', () => {
  test('warnings are a success, and are counted', async () => {
    const place = await clone();
    plan({ kind: 'task_fails', exitstatus: 'WARNINGS: 2' }, `/lxc/${place.vmid}/status/start$`);

    expect(await finished(world.client.startContainer(place))).toEqual({ warnings: 2 });
  });

  test('what went wrong is in the reason, the record and the log', async () => {
    const place = await clone();
    plan({ kind: 'task_fails', exitstatus: 'startup failed' }, `/lxc/${place.vmid}/status/start$`);

    const upid = await world.client.startContainer(place);
    const end = finished(upid);

    await expect(end).rejects.toMatchObject({ reason: 'task_failed', retryable: false });
    expect(await world.client.readTask(upid)).toMatchObject({
      type: 'vzstart',
      id: String(place.vmid),
      exitstatus: 'startup failed',
    });
    const log = await world.client.readTaskLog(upid);
    expect(log.lines.at(-1)).toBe('TASK ERROR: startup failed');
    expect(log.total).toBe(log.lines.length);
    const listed = await world.client.listTasks({ ...place, typefilter: 'vzstart' });
    expect(listed).toMatchObject([{ upid, exitstatus: 'startup failed' }]);
  });

  test('waiting bears a lost answer, ends when told to, and knows what does not exist', async () => {
    const place = await clone();
    const upid = await world.client.startContainer(place);
    const flaky = plan({ kind: 'drop_before', times: 3 }, '/status$', 'GET');
    const unknown = upid.replace(/^UPID:([^:]+):.{8}/, 'UPID:$1:00000001');

    const end = await finished(upid);

    expect(end).toEqual({ warnings: 0 });
    expect(flaky.fired).toBe(3);
    await expect(finished(unknown)).rejects.toMatchObject({ reason: 'task_missing' });
    await expect(
      world.client.awaitTask(upid, { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ reason: 'aborted' });
    await world.client.stopTask(upid);
  });
});

describe('the connection', () => {
  test('is refused without the pinned authority, unless told otherwise', async () => {
    await using unpinned = connect({ ca: undefined });
    await using insecure = connect({ ca: undefined, insecureTls: true });

    await expect(unpinned.listContainers()).rejects.toMatchObject({
      reason: 'certificate_refused',
      retryable: false,
    });
    expect(await insecure.findContainer(world.proxmox.templateVmid)).not.toBeNull();
  });

  test('to nobody at all has certainly had no effect', async () => {
    await using nobody = connect({ baseUrl: new URL('https://127.0.0.1:1') });

    const place = { node: world.templateNode(), vmid: 101 };

    await expect(nobody.startContainer(place)).rejects.toMatchObject({
      reason: 'not_connected',
      retryable: true,
    });
  });

  test('a silent server is given up on', async () => {
    await using hasty = connect({ timeoutMs: 50 });
    plan({ kind: 'hang' }, '/cluster/resources', 'GET');

    await expect(hasty.listContainers()).rejects.toMatchObject({
      reason: 'timed_out',
      retryable: true,
    });
  });
});
