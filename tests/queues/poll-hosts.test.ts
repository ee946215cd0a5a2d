import { describe, expect, test } from 'vitest';

import { until } from '../support/until.ts';
import { LIST, setUpHosts } from './hosts-world.ts';

const OBSERVED = 'host.observed';
const LOOK = /^\/nodes\/.*\/(config|status\/current)$/;
const FINE = { host: 'running', node: 'pve1', lock: null, drift: null };

describe('a sweep of the cluster', () => {
  test('in which nothing has changed is one question, and no write', async () => {
    await using t = await setUpHosts([5001, 5002]);
    const { sweep } = t.createObserver();
    const before = await t.stateOf(t.main, 5001);
    const asked = [t.sent(LIST.path), t.sent(LOOK)];

    await sweep();
    await sweep();

    expect([t.sent(LIST.path), t.sent(LOOK)]).toEqual([Number(asked[0]) + 2, asked[1]]);
    expect(await t.stateOf(t.main, 5001)).toEqual(before);
    const { hosts } = await t.live.load([5001, 5002]);
    expect(hosts).toMatchObject([
      [5001, { maxmem: 512 * 2 ** 20, mem: 64 * 2 ** 20, observedAt: expect.any(Number) }],
      [5002, { uptime: expect.any(Number) }],
    ]);
  });

  test('sees what was done by hand, and says so once, however many nodes look', async () => {
    await using t = await setUpHosts([5001, 5002, 5003, 5004]);
    const [one, two] = [t.createObserver(), t.createObserver()];
    const both = async () => {
      await Promise.all([one.sweep(), two.sweep()]);
      await one.sweep();
      return Promise.all([5001, 5002, 5003, 5004].map(t.believed));
    };

    await t.proxmox.powerOff(5001);
    await t.proxmox.vanish(5002);
    t.proxmox.migrate(5003, 'pve2');
    t.proxmox.setLock(5004, 'backup');
    const changed = await both();
    await t.start(5001);
    t.proxmox.setLock(5004, null);
    const backAt = Date.now();
    const back = await both();

    expect(changed).toEqual([
      { ...FINE, host: 'stopped', drift: 'stopped_outside' },
      { ...FINE, host: 'absent', drift: 'vanished' },
      { ...FINE, node: 'pve2', drift: 'moved' },
      { ...FINE, lock: 'backup' },
    ]);
    expect(back).toMatchObject([{ drift: 'started_outside' }, changed[1], changed[2], FINE]);
    const { hosts } = await t.live.load([5002]);
    expect(hosts).toMatchObject([[5002, { cpu: null, observedAt: expect.any(Number) }]]);
    expect(hosts[0]?.[1].observedAt).toBeGreaterThanOrEqual(backAt);
    for (const [vmid, times] of [
      [5001, 2],
      [5002, 1],
      [5003, 1],
      [5004, 2],
    ] as const) {
      expect(await t.heard(vmid, OBSERVED)).toHaveLength(times);
    }
  });

  test('finds the address that a start has changed, once it is there', async () => {
    await using t = await setUpHosts([5001]);
    let addresses: string[] = [];
    const lease = () => ({ listAddresses: async () => addresses });
    const [one, two] = [t.createObserver(lease), t.createObserver(lease)];
    const ip = async () => (await t.contextOf(t.main.actors, 5001)).ip;
    await t.proxmox.powerOff(5001);
    await one.sweep();
    await t.start(5001);
    await one.sweep();
    await one.sweep();
    const before = await ip();

    addresses = ['127.21.9.9'];
    await Promise.all([one.sweep(), two.sweep()]);
    await one.sweep();

    expect(before).toBeNull();
    expect(await ip()).toBe('127.21.9.9');
    const seen = (await t.heard(5001, 'address.found')).filter(({ opId }) => opId === null);
    expect(seen).toHaveLength(1);
  });

  test('takes what carries our marker for ours, and nothing else', async () => {
    await using t = await setUpHosts([5001, 5002]);
    const { sweep } = t.createObserver();
    await t.proxmox.vanish(5001);
    await t.proxmox.vanish(5002);
    await sweep();

    t.proxmox.make(5001, { description: 'zpack:5001-of-another-life' });
    t.proxmox.make(5002, { description: 'zpack:5002-aaaa0001' });
    await sweep();

    expect(await t.believed(5001)).toMatchObject({ host: 'absent', drift: 'vanished' });
    expect(await t.believed(5002)).toMatchObject({ host: 'stopped', drift: 'appeared' });
  });

  test('leaves alone what a call of ours is about, and what is not cloned yet', async () => {
    await using t = await setUpHosts([5001]);
    const { sweep } = t.createObserver();
    await t.create(t.main.actors, 5002);
    await t.tell(5001, { type: 'stop.requested', operationId: 'op-2', requestedBy: 'c-1' });
    await t.proxmox.vanish(5001);

    await sweep();

    expect(await t.believed(5001)).toMatchObject({ host: { stopping: expect.anything() } });
    expect(await t.believed(5002)).toMatchObject({ host: 'absent', drift: null });
    expect(await t.heard(5001, OBSERVED)).toEqual([]);
    expect(await t.heard(5002, OBSERVED)).toEqual([]);
  });
});

describe('a list that is old', () => {
  test('makes nobody stop, appear or vanish: the node itself is asked', async () => {
    await using t = await setUpHosts([5001, 5002, 5003]);
    const { sweep } = t.createObserver((client) => ({
      listContainers: async () =>
        (await client.listContainers()).flatMap((entry) => {
          if (entry.vmid === 5001) return [{ ...entry, status: 'stopped' as const }];
          if (entry.vmid === 5002) return [{ ...entry, status: 'unknown' as const }];
          return entry.vmid === 5003 ? [] : [entry];
        }),
    }));

    await sweep();

    expect(await Promise.all([5001, 5002, 5003].map(t.believed))).toEqual([FINE, FINE, FINE]);
  });

  test('does not name the node that a container has gone to: it is looked for later', async () => {
    await using t = await setUpHosts([5001]);
    const { sweep } = t.createObserver((client) => ({
      listContainers: async () =>
        (await client.listContainers()).map((entry) => ({
          ...entry,
          node: 'pve1',
          lock: 'migrate',
        })),
    }));
    t.proxmox.migrate(5001, 'pve2');

    await sweep();
    const between = await t.believed(5001);
    await t.createObserver().sweep();

    expect(between).toEqual(FINE);
    expect(await t.believed(5001)).toEqual({ ...FINE, node: 'pve2', drift: 'moved' });
  });

  test('and a change of ours meanwhile: what was seen before it does not count', async () => {
    await using t = await setUpHosts([5001]);
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let hasLooked = false;
    const { sweep } = t.createObserver((client) => ({
      readStatus: async (place) => {
        const status = await client.readStatus(place);
        hasLooked = true;
        await gate;
        return status;
      },
    }));
    await t.proxmox.powerOff(5001);
    const sweeping = sweep();
    await until(() => hasLooked, { what: 'the look' });

    await t.start(5001);
    await t.tell(5001, {
      type: 'host.observed',
      power: 'running',
      node: 'pve1',
      lock: 'x',
      opId: null,
    });
    open();
    await sweeping;

    expect(await t.believed(5001)).toEqual({ ...FINE, lock: 'x' });
  });
});

describe('a Proxmox that does not answer', () => {
  test.each([
    [{ kind: 'status', status: 500, text: 'cluster not ready - no quorum?' }, 'no_quorum'],
    [{ kind: 'status', status: 596, text: 'Connection timed out' }, 'node_unreachable'],
    [{ kind: 'drop_before', times: 2 }, 'no_answer'],
    [{ kind: 'hang' }, 'timed_out'],
  ] as const)('%o makes no container absent: the next sweep tries again', async (fault, reason) => {
    await using t = await setUpHosts([5001], 300);
    const { sweep } = t.createObserver();
    const planned = t.proxmox.faults.plan({ ...LIST, ...fault });
    await t.proxmox.powerOff(5001);

    await expect(sweep()).rejects.toMatchObject({ reason });
    const between = await t.believed(5001);
    await sweep();

    expect(planned.fired).toBeGreaterThan(0);
    expect(between).toEqual(FINE);
    expect(await t.believed(5001)).toMatchObject({ host: 'stopped', drift: 'stopped_outside' });
  });

  test('to a look leaves it open, and is logged once', async () => {
    await using t = await setUpHosts([5001, 5002]);
    const { sweep } = t.createObserver();
    const planned = t.proxmox.faults.plan({
      ...{ method: 'GET', path: /\/config$/, times: 2 },
      ...{ kind: 'status', status: 403, text: 'Permission check failed (/vms/5001, VM.Audit)' },
    });
    await t.proxmox.vanish(5001);
    await t.proxmox.vanish(5002);

    await sweep();
    const between = [await t.believed(5001), await t.believed(5002)];
    await sweep();

    expect(planned.fired).toBe(2);
    expect(between).toEqual([FINE, FINE]);
    expect(t.lines.map((line) => JSON.parse(line))).toMatchObject([
      { msg: 'containers could not be looked at', times: 2, err: { reason: 'forbidden' } },
    ]);
    expect(await t.believed(5001)).toMatchObject({ host: 'absent' });
  });
});

describe('a node that is offline', () => {
  test('makes its containers unknown with a few questions, until it is back', async () => {
    const vmids = [5001, 5002, 5003, 5004, 5005, 5006, 5007, 5008];
    await using t = await setUpHosts(vmids);
    const { sweep } = t.createObserver();
    const asked = t.sent(LOOK);

    t.proxmox.setOffline('pve1', true);
    await sweep();
    const offline = await Promise.all(vmids.map(t.believed));
    const looks = t.sent(LOOK) - asked;
    await sweep();
    const again = t.sent(LOOK) - asked;
    t.proxmox.setOffline('pve1', false);
    await sweep();
    const online = await Promise.all(vmids.map(t.believed));

    for (const one of offline) expect(one).toMatchObject({ drift: 'node_offline', node: 'pve1' });
    expect(looks).toBeLessThan(vmids.length);
    expect(again).toBe(looks);
    for (const one of online) expect(one).toMatchObject({ host: 'running' });
    expect(t.lines).toEqual([]);
  });

  test('that hangs keeps those of other nodes from nothing, nor the next sweep', async () => {
    await using t = await setUpHosts([5001, 5002], 3_000);
    const { sweep } = t.createObserver();
    t.proxmox.migrate(5002, 'pve2');
    await sweep();
    const hang = { method: 'GET', path: /^\/nodes\/pve1\/lxc\/5001\//, times: 9 } as const;
    const planned = t.proxmox.faults.plan({ ...hang, kind: 'hang' });
    await t.proxmox.powerOff(5001);
    await t.proxmox.powerOff(5002);

    const begunAt = performance.now();
    await sweep();
    const tookMs = performance.now() - begunAt;
    const other = await t.believed(5002);
    await sweep();
    const firedMeanwhile = planned.fired;
    planned.cancel();
    await until(
      async () => {
        await sweep();
        return (await t.believed(5001)).host === 'stopped';
      },
      { what: 'the node to be asked again', timeoutMs: 10_000 },
    );

    expect(tookMs).toBeLessThan(2_500);
    expect(other).toMatchObject({ host: 'stopped', drift: 'stopped_outside' });
    expect(firedMeanwhile).toBe(1);
  });
});
