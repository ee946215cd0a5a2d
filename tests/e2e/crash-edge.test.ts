import { expect, inject, test } from 'vitest';

import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import { examine } from '../support/crash-invariants.ts';
import { becomeReady, live, remove } from '../support/crash-lives.ts';
import { type CrashWorld, startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';
import { until } from '../support/until.ts';

/** What comes before the first target is told: the calls that make a game ready. */
const CALLS_BEFORE = 6;

/** Done and not told, told and not committed, committed and not announced: each with others in flight. */
const MOMENTS: readonly Checkpoint[] = ['effect.after', 'tell.before', 'commit.after'];

async function isPublished({ client }: CrashWorld, vmid: number): Promise<boolean> {
  const { body } = await client.ask({ method: 'GET', path: `/api/servers/${vmid}/status` });
  return body.edge?.state === 'published';
}

test('a worker killed while it publishes and while it removes leaves nothing out and nothing over', {
  timeout: 180_000,
}, async () => {
  await using database = await createTestDatabase();
  const redisUrl = inject('redisUrl');
  await using world = await startCrashWorld({
    database,
    redisUrl,
    programs: inject('programs'),
    hasEdge: true,
  });
  await world.nodes.start({ role: 'api' });
  const publishing = await world.nodes.start({
    role: 'worker',
    faults: MOMENTS.map((at, index) => ({ at, pass: index === 0 ? CALLS_BEFORE + 1 : 1 })),
  });
  const { vmid } = await live(world.client, { kind: 'kept' });
  await becomeReady(world.client, vmid ?? 0);
  await until(() => isPublished(world, vmid ?? 0), { what: 'publication', timeoutMs: 60_000 });
  const whilePublishing = publishing.fired();
  await publishing.terminate();
  const first = await examine(world);

  const removing = await world.nodes.start({
    role: 'worker',
    faults: MOMENTS.map((at) => ({ at, pass: 1 })),
  });
  await remove(world.client, vmid ?? 0);
  const second = await examine(world);

  expect(whilePublishing).toEqual(['effect.after 7', 'tell.before 1', 'commit.after 1']);
  expect(first, world.nodes.notes().join('\n')).toMatchObject({ violations: [], live: 1 });
  expect(removing.fired()).toEqual(['effect.after 1', 'tell.before 1', 'commit.after 1']);
  expect(second, world.nodes.notes().join('\n')).toMatchObject({ violations: [], deleted: 1 });
});
