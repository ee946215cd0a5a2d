import { describe, expect, inject, test } from 'vitest';

import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import { createProxmoxClient } from '../../src/clients/proxmox/client.ts';
import { examine } from '../support/crash-invariants.ts';
import { live, power } from '../support/crash-lives.ts';
import { type CrashWorld, startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';

/** Every moment of an operation: its task begun and not told, told, ended, and its end told. */
const MOMENTS: readonly Checkpoint[] = [
  'progress.before',
  'commit.after',
  'progress.after',
  'effect.after',
  'tell.before',
];

async function powerTasks({ proxmox }: CrashWorld, vmid: number): Promise<readonly string[]> {
  const { url: baseUrl, ca, tokenId, tokenSecret, nodes } = proxmox;
  const access = { baseUrl, ca, tokenId, tokenSecret, timeoutMs: 5_000 };
  await using client = createProxmoxClient(access);
  const tasks = await Promise.all(nodes.map((node) => client.listTasks({ node, vmid })));
  // Listed the latest first; several may have begun in the same second.
  return tasks
    .flatMap((ofNode) => ofNode.toReversed())
    .toSorted((a, b) => a.starttime - b.starttime)
    .map(({ type }) => type)
    .filter((type) => /^vz(start|stop|shutdown|reboot)$/.test(type));
}

describe.concurrent('a worker killed at every moment of a change of power', () => {
  test.each([
    ['stop', [], ['vzstart', 'vzshutdown']],
    ['start', ['stop'], ['vzstart', 'vzshutdown', 'vzstart']],
    ['restart', [], ['vzstart', 'vzreboot']],
  ] as const)(
    'asks Proxmox to %s once, and ends the operation',
    { timeout: 120_000 },
    async (verb, before, tasks) => {
      await using database = await createTestDatabase();
      await using world = await startCrashWorld({
        database,
        redisUrl: inject('redisUrl'),
        programs: inject('programs'),
      });
      await world.nodes.start({ role: 'api' });
      const maker = await world.nodes.start({ role: 'worker' });
      const { vmid } = await live(world.client, { kind: 'kept' });
      for (const first of before) await power(world.client, vmid ?? 0, first);
      await maker.terminate();
      const faults = MOMENTS.map((at) => ({ at, pass: 1 }));
      const killed = await world.nodes.start({ role: 'worker', faults });

      await power(world.client, vmid ?? 0, verb);
      const asked = await powerTasks(world, vmid ?? 0);
      // The faults that are left have their turn: what is stopped is started again.
      await power(world.client, vmid ?? 0, 'start');

      expect(asked).toEqual(tasks);
      expect(killed.fired()).toEqual(MOMENTS.map((at) => `${at} 1`));
      expect(await examine(world)).toMatchObject({ violations: [], failures: [], live: 1 });
    },
  );
});
