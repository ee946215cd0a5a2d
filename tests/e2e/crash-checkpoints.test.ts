import { describe, expect, inject, test } from 'vitest';

import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import { examine } from '../support/crash-invariants.ts';
import { type LifePlan, liveAll } from '../support/crash-lives.ts';
import type { Fault, Role } from '../support/crash-nodes.ts';
import { startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';

type FaultyNode = readonly [Role, readonly Fault[]];

const at = (checkpoint: Checkpoint, ...passes: readonly number[]): readonly Fault[] =>
  passes.map((pass) => ({ at: checkpoint, pass }));

/**
 * A node dies at one pass, is started again and dies at the next: the passes lie in different
 * steps of the lives. Where API and workers are apart both die, the one at a wish, the other at
 * what comes of it.
 */
const SCENARIOS: readonly (readonly FaultyNode[])[] = [
  [['all', at('commit.before', 1, 3, 5)]],
  [['all', at('commit.after', 1, 3, 5)]],
  [['all', at('enqueue.after', 1, 3, 5)]],
  [['all', at('effect.after', 1, 3, 5)]],
  [['all', at('tell.before', 1, 3, 5)]],
  [
    ['api', [at('commit.before', 1), at('commit.after', 1), at('enqueue.after', 1)].flat()],
    ['worker', [at('commit.before', 2), at('effect.after', 3), at('tell.before', 2)].flat()],
  ],
  [
    ['api', [at('commit.after', 2), at('commit.before', 2)].flat()],
    [
      'worker',
      [
        at('commit.after', 2),
        at('enqueue.after', 2),
        at('effect.after', 2),
        at('tell.before', 3),
      ].flat(),
    ],
  ],
];

const LIVES: readonly LifePlan[] = [
  { kind: 'whole' },
  { kind: 'forgotten' },
  { kind: 'cut', cutAfterMs: 60 },
  { kind: 'kept' },
];

const orderOf = ({ at: checkpoint, pass }: Fault): string => `${checkpoint} ${pass}`;

const nameOf = (nodes: readonly FaultyNode[]): string =>
  nodes.map(([role, faults]) => `${role} at ${faults.map(orderOf).join(', ')}`).join(' and ');

describe.concurrent('killed by SIGKILL, a process loses, doubles and forgets nothing', () => {
  for (const faultyNodes of SCENARIOS) {
    test(nameOf(faultyNodes), { timeout: 240_000 }, async () => {
      await using database = await createTestDatabase();
      await using world = await startCrashWorld({
        database,
        redisUrl: inject('redisUrl'),
        programs: inject('programs'),
      });
      for (const [role, faults] of faultyNodes) await world.nodes.start({ role, faults });

      const lives = await liveAll(world.client, LIVES, LIVES.length).catch((cause: unknown) => {
        throw new Error(world.nodes.notes().join('\n'), { cause });
      });
      const found = await examine(world);

      const fired = world.nodes.all().map((node) => node.fired());
      expect(fired).toEqual(faultyNodes.map(([, faults]) => faults.map(orderOf)));
      expect(found, world.nodes.notes().join('\n')).toMatchObject({ violations: [], failures: [] });
      expect(lives).toHaveLength(LIVES.length);
    });
  }
});
