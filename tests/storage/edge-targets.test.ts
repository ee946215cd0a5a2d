import { expect, test } from 'vitest';

import { createEdgeTargets } from '../../src/storage/edge-targets.ts';
import { ipOf, setUpLives } from '../queues/edge-lives.ts';
import { planOf } from '../queues/edge-parties.ts';
import { idOf } from '../queues/worker-world.ts';

const NOTHING = { targets: [], proxy: null };

async function setUp() {
  const lives = await setUpLives();
  return { ...lives, edge: createEdgeTargets(lives.database.pool) };
}

test('a name leads where its actor believes, and nowhere known while a call is in flight', async () => {
  await using t = await setUp();
  await t.published(5001);
  await t.published(5002, { isVerified: false });
  await t.publishing(5003);
  await t.unpublished(5004);
  await t.published(5005, { plan: NOTHING });

  const found = await t.edge.listProxied();
  const listed = [...found].sort((a, b) => (a.id < b.id ? -1 : 1));

  const at = (vmid: number) => ({ serverName: `mc-${vmid}`, address: ipOf(vmid), port: 25_565 });
  expect(listed).toMatchObject([
    { id: idOf(5001), ...at(5001), state: 'registered' },
    { id: idOf(5002), ...at(5002), state: 'unverifiable' },
    // To be asked for: it may lead there already.
    { id: idOf(5003), ...at(5003), state: null },
    { id: idOf(5004), ...at(5004), address: null, port: null, state: 'none' },
  ]);
  expect(listed[0]?.version).toBe((await t.edgeOf(5001)).version);
});

test('all that live are listed with their targets, also those that have none, or only those asked for', async () => {
  await using t = await setUp();
  await t.published(5001);
  await t.publishing(5002);
  await t.published(5003, { plan: NOTHING });
  await t.archive(5002);

  const all = await t.edge.listPublished();
  const some = await t.edge.listPublished([idOf(5003), idOf(5002), 'nobody']);
  const none = await t.edge.listPublished([]);

  const [inside, outside] = planOf(5001).targets;
  const { version } = await t.edgeOf(5001);
  expect(all).toMatchObject([
    {
      ...{ id: idOf(5001), vmid: 5001, version, hostname: 'mc-5001', ip: ipOf(5001) },
      targets: [
        { spec: inside, state: 'published', failure: null },
        { spec: outside, state: 'published', failure: null },
      ],
    },
    { id: idOf(5003), targets: [] },
  ]);
  expect(some.map(({ id }) => id)).toEqual([idOf(5003)]);
  expect(none).toEqual([]);
});

test('a name is archived in any letters, unless it has come round to one that lives', async () => {
  await using t = await setUp();
  await t.archive(5001);
  await t.archive(5001, '5001-before-that');
  await t.archive(5002);
  await t.published(5002, { plan: NOTHING });

  const names = await t.edge.filterArchivedNames(['MC-5001', 'mc-5002', 'lobby']);

  expect(names).toEqual(['mc-5001']);
  expect(await t.edge.filterArchivedNames([])).toEqual([]);
});
