import { describe, expect, test } from 'vitest';

import { hostIn, KINDS, LOST, serviceIn, setUpDns, setUpMess } from './dns-comparison.ts';
import { createEdgeNode, nameSpec, ZONES } from './edge-parties.ts';
import { idOf } from './worker-world.ts';

const calm = { strays: [], missing: [] };

describe('a comparison of DNS', () => {
  test('in which all is as published changes nothing', async () => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.inDns(5001);
    const before = await t.edgeOf(5001);

    const report = await t.real();

    expect(report).toMatchObject({
      ...calm,
      isDryRun: false,
      zones: [
        // One more in either: the name server.
        { zone: 'internal_dns', records: 3, ours: 2, error: null },
        { zone: 'public_dns', records: 2, ours: 2, error: null },
      ],
    });
    expect(await t.edgeOf(5001)).toEqual(before);
  });

  test('that is dry names strays and what is missing, and changes nothing', async () => {
    await using t = await setUpMess();
    const before = [t.all(), ...(await Promise.all([5001, 5002, 5003].map(t.edgeOf)))];

    const report = await t.dry();

    const whys = report.strays.map(({ why, name, type }) => `${why} ${type} ${name}`).sort();
    expect(whys).toEqual(
      KINDS.flatMap((kind) =>
        (['unpublished', 'archived', 'foreign'] as const).flatMap((why, i) => [
          `${why} A ${hostIn(kind, 5003 + i)}`,
          `${why} SRV ${serviceIn(kind, 5003 + i)}`,
        ]),
      ).sort(),
    );
    const has = (vmid: number) =>
      report.strays.filter(({ instanceId }) => instanceId === idOf(vmid))[0]?.hasContainer;
    expect([has(5003), has(5004), has(5005)]).toEqual([true, false, false]);
    expect(report.strays.some(({ isRemoved }) => isRemoved)).toBe(false);
    expect(report.missing).toEqual([
      {
        ...{ zone: 'public_dns', name: serviceIn('public_dns', 5002), vmid: 5002 },
        ...{ instanceId: idOf(5002), hasContainer: false, isTold: false },
      },
    ]);
    expect([t.all(), ...(await Promise.all([5001, 5002, 5003].map(t.edgeOf)))]).toEqual(before);
  });

  test('that is not dry removes what was ours, tells what is missing, and leaves the rest', async () => {
    await using t = await setUpMess();

    const report = await t.real();
    const again = await t.dry();

    const removed = report.strays.filter(({ isRemoved }) => isRemoved);
    expect(new Set(removed.map(({ why }) => why))).toEqual(new Set(['unpublished', 'archived']));
    expect(removed).toHaveLength(8);
    expect(report.missing).toMatchObject([{ vmid: 5002, isTold: true }]);
    expect(await t.heard(5002, LOST)).toMatchObject([{ kind: 'public_dns' }]);
    expect((await t.edgeOf(5002)).targets).toEqual(['published', 'publishing']);
    expect(again.strays.map(({ why }) => why)).toEqual(Array(4).fill('foreign'));
    expect(t.all()).toEqual(
      KINDS.flatMap((kind) =>
        [
          ...[5001, 5002, 5005].map((vmid) => `A ${hostIn(kind, vmid)}`),
          `A www.${ZONES[kind]}`,
          ...[5001, 5002, 5005].map((vmid) => `SRV ${serviceIn(kind, vmid)}`),
        ].filter((line) => line !== `SRV ${serviceIn('public_dns', 5002)}`),
      ),
    );
  });

  test('by two nodes at the same time removes once and tells once', async () => {
    await using t = await setUpMess();

    const reports = await Promise.all([t.real(), t.createComparison().real()]);

    const names = reports.flatMap(({ strays }) =>
      strays.filter(({ isRemoved }) => isRemoved).map(({ type, name }) => `${type} ${name}`),
    );
    expect(new Set(names).size).toBe(8);
    expect(await t.heard(5002, LOST)).toHaveLength(1);
  });

  test.each(KINDS)(
    'in %s holds a remark that begins like our marker for nobody’s',
    async (kind) => {
      await using t = await setUpDns();
      await t.archive(5001);
      const name = `kept.${ZONES[kind]}`;
      t.addByHand(kind, name, { comment: `zpack:${idOf(5001)} is what this once was` });

      const report = await t.real();

      expect(report).toMatchObject(calm);
      expect(t.all()).toEqual([`A ${name}`]);
    },
  );

  test.each(KINDS)('in %s finds a name that its instance is not published under', async (kind) => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.inDns(5001);
    const old = nameSpec(kind, 4_999);
    const node = createEdgeNode(t.connect());
    await node.perform(`${kind}.publish`, { target: old }, { id: idOf(5001) });

    const report = await t.real();

    expect(report.strays).toMatchObject(Array(2).fill({ why: 'unpublished', isRemoved: true }));
    expect(report.missing).toEqual([]);
    expect(t.inZone(kind)).toEqual([`A ${hostIn(kind, 5001)}`, `SRV ${serviceIn(kind, 5001)}`]);
  });
});

describe('a record that is not as it was published', () => {
  const comment = `zpack:${idOf(5001)}`;

  test.each(KINDS)('in %s, leading elsewhere, is published again', async (kind) => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.inDns(5001);
    await t.deleteByHand(kind, hostIn(kind, 5001));
    t.addByHand(kind, hostIn(kind, 5001), { content: '203.0.113.66', comment });

    const report = await t.real();
    await t.write(kind, 5001, 'publish');
    await t.end(5001, kind, 'target.published');

    expect(report).toMatchObject({ strays: [], missing: [{ name: hostIn(kind, 5001) }] });
    expect(await t.real()).toMatchObject(calm);
  });

  test.each(KINDS)('in %s, beside the right one, is published again', async (kind) => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.inDns(5001);
    t.addByHand(kind, hostIn(kind, 5001), { content: '203.0.113.66', comment });

    const report = await t.real();
    await t.write(kind, 5001, 'publish');
    await t.end(5001, kind, 'target.published');

    expect(report).toMatchObject({ strays: [], missing: [{ name: hostIn(kind, 5001) }] });
    expect(await t.real()).toMatchObject(calm);
  });

  test('because it was switched off, is published again', async () => {
    await using t = await setUpDns();
    await t.published(5001);
    await t.inDns(5001);
    t.technitium.setDisabled(hostIn('internal_dns', 5001), true);

    expect((await t.real()).missing).toMatchObject([{ zone: 'internal_dns', isTold: true }]);
  });
});
