import { describe, expect, test } from 'vitest';

import { BRIDGES, idOf, setUpEffects, TWICE } from './effects-world.ts';

/** A worker may die after the world has changed, or be taken for dead: its work is done again. */
describe.each(TWICE)('performed twice, %s, happens once:', (_, twice) => {
  test('a clone is one container, made by one task', async () => {
    await using t = await setUpEffects({ delays: { cloneMs: 80 } });

    const outcomes = await twice(t.nodes, (node) => t.clone(5001, node));

    expect(outcomes).toEqual(Array(2).fill({ type: 'container.cloned', opId: '1', node: 'pve1' }));
    expect((await t.tasks('vzclone')).filter((end) => end === 'OK')).toHaveLength(1);
    expect(t.snapshot(5001)).toMatchObject({
      hostname: 'mc-5001',
      description: `zpack:${idOf(5001)}`,
      lock: undefined,
    });
  });

  test('a configuration holds what was ordered', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);

    const outcomes = await twice(t.nodes, (node) =>
      node.perform('container.configure', 5001, {
        node: 'pve1',
        ctype: 'dev',
        cpuCores: 3,
        memoryMiB: 1536,
      }),
    );

    expect(outcomes).toEqual(Array(2).fill({ type: 'container.configured', opId: '1' }));
    const { data } = await t.api.get('/nodes/pve1/lxc/5001/config');
    expect(data).toMatchObject({ cores: 3, memory: 1536, description: `zpack:${idOf(5001)}\n` });
    expect(data).toMatchObject({ net0: expect.stringContaining(`bridge=${BRIDGES.dev}`) });
  });

  test('a start boots one set of processes', async () => {
    await using t = await setUpEffects({ delays: { startMs: 50 } });
    await t.configured(5001);

    const outcomes = await twice(t.nodes, (node) => node.perform('container.start', 5001, {}));

    expect(outcomes).toEqual(Array(2).fill({ type: 'container.started', opId: '1' }));
    expect(t.snapshot(5001)?.status).toBe('running');
    expect(t.snapshot(5001)?.pids).toHaveLength(1);
    // Of two who ask at the same moment the later one finds it running, which is as good.
    expect(new Set(await t.tasks('vzstart'))).toEqual(new Set(['OK']));
  });

  test('a restart gives the container new processes, once', async () => {
    await using t = await setUpEffects({ delays: { startMs: 50 } });
    await t.running(5001);
    const before = t.snapshot(5001)?.pids;

    const outcomes = await twice(t.nodes, (node) => node.perform('container.restart', 5001, {}));

    expect(outcomes).toEqual(Array(2).fill({ type: 'container.restarted', opId: '1' }));
    expect(t.snapshot(5001)?.pids).toHaveLength(1);
    expect(t.snapshot(5001)?.pids).not.toEqual(before);
  });

  test.each(['container.shutdown', 'container.stop'] as const)(
    'a %s ends with nothing running',
    async (kind) => {
      await using t = await setUpEffects();
      await t.running(5001);

      const outcomes = await twice(t.nodes, (node) => node.perform(kind, 5001, {}));

      expect(outcomes).toEqual(Array(2).fill({ type: 'container.stopped', opId: '1' }));
      expect(t.snapshot(5001)).toMatchObject({ status: 'stopped', pids: [] });
    },
  );

  test('a destruction leaves nothing, although the container runs', async () => {
    await using t = await setUpEffects();
    await t.running(5001);

    const outcomes = await twice(t.nodes, (node) => node.perform('container.destroy', 5001, {}));

    expect(outcomes).toEqual(Array(2).fill({ type: 'container.destroyed', opId: '1' }));
    expect(t.snapshot(5001)).toBeUndefined();
    expect((await t.tasks('vzdestroy')).filter((end) => end === 'OK')).toHaveLength(1);
  });

  test('an observation and the search for an address change nothing', async () => {
    await using t = await setUpEffects();
    await t.running(5001);

    const observed = await twice(t.nodes, (node) => node.perform('container.observe', 5001, {}));
    const found = await twice(t.nodes, (node) => node.perform('container.address', 5001, {}));

    const seen = {
      type: 'host.observed',
      power: 'running',
      node: 'pve1',
      lock: null,
      opId: '1',
    };
    expect(observed).toEqual([seen, seen]);
    const { ip } = t.snapshot(5001) ?? {};
    expect(found).toEqual(Array(2).fill({ type: 'address.found', opId: '1', ip }));
  });
});

test('an effect done before is found done, without asking for it again', async () => {
  await using t = await setUpEffects();
  await t.running(5001);
  await t.node.perform('container.start', 5001, {});
  await t.clone(5001);
  await t.node.perform('container.shutdown', 5001, {});
  await t.node.perform('container.stop', 5001, {});

  const sent = ['clone', 'status/start', 'status/shutdown'].map((verb) =>
    t.sent('POST', new RegExp(`/${verb}$`)),
  );

  expect(sent).toEqual([1, 1, 1]);
  expect(t.sent('POST', /\/status\/stop$/)).toBe(0);
});

describe('a container that is not ours', () => {
  test('is seen as absent, and is neither started, stopped nor configured', async () => {
    await using t = await setUpEffects();
    await t.foreign(5001);

    const observed = await t.node.perform('container.observe', 5001, {});

    expect(observed).toMatchObject({ type: 'host.observed', power: 'absent' });
    const size = { node: 'pve1', ctype: 'game', cpuCores: 1, memoryMiB: 512 } as const;
    for (const attempt of [
      () => t.node.perform('container.start', 5001, {}),
      () => t.node.perform('container.stop', 5001, {}),
      () => t.node.perform('container.address', 5001, {}),
      () => t.node.perform('container.configure', 5001, size),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ reason: 'container_foreign' });
    }
    expect(t.sent('POST', /\/lxc\/5001\//) + t.sent('PUT', /\/lxc\/5001\//)).toBe(0);
  });

  test('may be one of ours from an earlier life of the number', async () => {
    await using t = await setUpEffects();
    await t.clone(5001);
    const id = '5001-later';
    const later = { kind: 'container.observe', opId: '9', vmid: 5001, id, node: null } as const;

    const observed = await t.node.performers['container.observe'](later, {
      upid: null,
      ageMs: 0,
      signal: AbortSignal.timeout(5_000),
      progress: async () => {},
    });

    expect(observed).toMatchObject({ power: 'absent', opId: '9' });
  });
});

test('an address that does not come is a failure that may be repeated', async () => {
  await using t = await setUpEffects({ addressTimeoutMs: 40, delays: { dhcpMs: 60_000 } });
  await t.running(5001);

  const search = t.node.perform('container.address', 5001, {});

  await expect(search).rejects.toMatchObject({ reason: 'no_address', retryable: true });
});
