import { describe, expect, test } from 'vitest';

import { KINDS, LOST, setUpDns, setUpMess } from './dns-comparison.ts';

const calm = { strays: [], missing: [] };

const seen = (node: string) => ({
  ...{ type: 'host.observed', power: 'running', node, lock: null, opId: null },
});

describe('what changes while it is compared', () => {
  test('to published is neither a stray nor removed', async () => {
    await using t = await setUpDns();
    await t.unpublished(5001);
    const both = Promise.withResolvers<void>();
    // Between the rows and the zones: a new one, and one that is published again.
    const publish = async () => {
      await t.published(5002);
      await t.republish(5001);
      await t.inDns(5001, 5002);
      both.resolve();
    };
    const { real } = t.createComparison({
      before: (kind) => (kind === 'internal_dns' ? publish() : both.promise),
    });

    const report = await real();

    expect(report).toMatchObject(calm);
    expect(t.all()).toHaveLength(8);
  });

  test('to unpublished is not missing', async () => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.published(5002);
    await t.inDns(5001, 5002);
    const both = Promise.withResolvers<void>();
    const withdraw = async () => {
      for (const kind of KINDS) {
        for (const vmid of [5001, 5002]) await t.write(kind, vmid, 'remove');
      }
      await t.withdraw(5001);
      await t.archive(5002);
      both.resolve();
    };
    const { real } = t.createComparison({
      before: (kind) => (kind === 'internal_dns' ? withdraw() : both.promise),
    });

    expect(await real()).toMatchObject(calm);
    expect(await t.heard(5001, LOST)).toEqual([]);
  });

  test('to published right after the zone was listed is neither missing nor a stray', async () => {
    await using t = await setUpDns();
    await t.publishing(5001);
    await t.unpublished(5002);
    await t.inDns(5002);
    const both = Promise.withResolvers<void>();
    const change = async () => {
      await t.republish(5002);
      await t.inDns(5001);
      for (const kind of KINDS) await t.end(5001, kind, 'target.published');
      both.resolve();
    };
    const { real } = t.createComparison({
      after: (kind) => (kind === 'internal_dns' ? change() : both.promise),
    });

    expect(await real()).toMatchObject(calm);
    expect(t.all()).toHaveLength(8);
    expect(await t.heard(5001, LOST)).toEqual([]);
  });

  test('of an instance only what concerns its names counts: others step all the time', async () => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.unpublished(5002);
    await t.inDns(5002);
    const { real } = t.createComparison({
      async after() {
        for (const vmid of [5001, 5002]) await t.tell(vmid, seen(`moved-${Math.random()}`));
      },
    });

    const report = await real();

    expect(report.missing).toHaveLength(2);
    expect(report.strays).toHaveLength(4);
    expect(t.all()).toEqual([]);
    expect(await t.heard(5001, LOST)).toHaveLength(1);
  });

  test('and a target whose call is in flight is not judged', async () => {
    await using t = await setUpDns();
    await t.publishing(5001);
    await t.published(5002);
    await t.tell(5002, { type: 'unpublish.requested', operationId: 'op-8', requestedBy: 'a-1' });
    await t.inDns(5002);

    expect(await t.real()).toMatchObject(calm);
    expect(t.all()).toHaveLength(4);
  });
});

describe('a third party that fails', () => {
  test.each([
    ['is down', { kind: 'status', status: 500, text: 'oops' }],
    ['hangs', { kind: 'hang' }],
  ] as const)('one zone that %s keeps nobody from comparing the other', async (_, fault) => {
    await using t = await setUpMess();
    const path = /dns_records/;
    const planned = t.cloudflare.faults.plan({ ...fault, method: 'GET', path, times: 9 });

    const report = await t.real();

    expect(planned.fired).toBeGreaterThan(0);
    expect(report.zones).toMatchObject([
      { zone: 'internal_dns', error: null },
      { zone: 'public_dns', records: 0, ours: 0, error: expect.stringContaining('cloudflare') },
    ]);
    expect(report.missing).toEqual([]);
    expect(report.strays.filter(({ isRemoved }) => isRemoved)).toHaveLength(4);
    expect(await t.heard(5002, LOST)).toEqual([]);
  });

  test('in the middle of the removal says so once, and what was removed by then', async () => {
    await using t = await setUpMess();
    const removal = { method: 'DELETE', path: /dns_records/ } as const;
    t.cloudflare.faults.plan({ ...removal, kind: 'delay', ms: 0 });
    const planned = t.cloudflare.faults.plan({
      ...{ ...removal, kind: 'status', status: 500, text: 'oops', times: 9 },
    });

    const report = await t.real();
    planned.cancel();
    await t.real();

    expect(planned.fired).toBe(1);
    expect(report.zones).toHaveLength(2);
    expect(report.zones[1]).toMatchObject({ records: 10, error: expect.any(String) });
    const outside = report.strays.filter(({ zone }) => zone === 'public_dns');
    expect(outside.map(({ isRemoved }) => isRemoved)).toEqual([true, ...Array(5).fill(false)]);
    expect(report.missing).toHaveLength(1);
    expect((await t.dry()).strays.map(({ why }) => why)).toEqual(Array(4).fill('foreign'));
  });

  test('and is Proxmox leaves it open whether there is a container', async () => {
    await using t = await setUpMess();
    const planned = t.proxmox.faults.plan({
      ...{ method: 'GET', path: /^\/cluster\/resources/, times: 9 },
      ...{ kind: 'status', status: 500, text: 'cluster not ready - no quorum?' },
    });

    const report = await t.real();

    expect(planned.fired).toBeGreaterThan(0);
    const seenAs = [...report.strays, ...report.missing].map(({ hasContainer }) => hasContainer);
    expect(seenAs).toEqual(Array(13).fill(null));
    expect(report.strays.filter(({ isRemoved }) => isRemoved)).toHaveLength(8);
  });

  test('is not waited for when the node shuts down', async () => {
    await using t = await setUpDns();
    const gone = new Error('this node shuts down');
    t.technitium.faults.plan({ kind: 'hang', method: 'POST', path: /records\/get/ });

    const run = t.run({ isDryRun: false, shutdown: AbortSignal.abort(gone) });

    await expect(run).rejects.toBe(gone);
  });
});
