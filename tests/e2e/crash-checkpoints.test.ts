import { describe, expect, inject, test } from 'vitest';

import type { Checkpoint } from '../../src/actors/checkpoint.ts';
import { examine } from '../support/crash-invariants.ts';
import { type LifePlan, liveAll } from '../support/crash-lives.ts';
import type { Fault, Role } from '../support/crash-nodes.ts';
import { startCrashWorld } from '../support/crash-world.ts';
import { createTestDatabase } from '../support/database.ts';

const CHECKPOINTS: readonly Checkpoint[] = [
  'commit.before',
  'commit.after',
  'enqueue.after',
  'effect.after',
  'tell.before',
];

type FaultyNode = readonly [Role, Fault?];

/** The 1st, 3rd and 5th pass lie in different steps of the first life. */
const ALONE: readonly (readonly FaultyNode[])[] = CHECKPOINTS.flatMap((at) =>
  [1, 3, 5].map((pass) => [['all', { at, pass }]] as const),
);

/** Where API and workers are apart, both die: the API of a wish, the worker of what comes of it. */
const APART: readonly (readonly FaultyNode[])[] = [
  [
    ['api', { at: 'commit.before', pass: 1 }],
    ['worker', { at: 'commit.before', pass: 4 }],
  ],
  [
    ['api', { at: 'commit.after', pass: 1 }],
    ['worker', { at: 'commit.after', pass: 2 }],
  ],
  [
    ['api', { at: 'enqueue.after', pass: 2 }],
    ['worker', { at: 'enqueue.after', pass: 4 }],
  ],
  [
    ['api', { at: 'commit.before', pass: 3 }],
    ['worker', { at: 'effect.after', pass: 2 }],
  ],
  [
    ['api', { at: 'commit.after', pass: 4 }],
    ['worker', { at: 'tell.before', pass: 4 }],
  ],
];

const LIVES: readonly LifePlan[] = [
  { kind: 'whole' },
  { kind: 'forgotten' },
  { kind: 'cut', cutAfterMs: 60 },
  { kind: 'kept' },
];

const nameOf = (nodes: readonly FaultyNode[]): string =>
  nodes.map(([role, fault]) => `${role}, ${fault?.at} ${fault?.pass}`).join(' and ');

describe.concurrent('a process killed by SIGKILL loses, doubles and forgets nothing', () => {
  for (const faultyNodes of [...ALONE, ...APART]) {
    test(`at ${nameOf(faultyNodes)}`, { timeout: 120_000 }, async () => {
      await using database = await createTestDatabase();
      await using world = await startCrashWorld({ database, redisUrl: inject('redisUrl') });
      for (const [role, fault] of faultyNodes) {
        await world.nodes.start({ role, ...(fault && { fault }) });
      }

      const lives = await liveAll(world.client, LIVES, LIVES.length).catch((cause: unknown) => {
        throw new Error(world.nodes.notes().join('\n'), { cause });
      });
      const found = await examine(world);
      console.log(nameOf(faultyNodes), JSON.stringify(found), lives.map((life) => Math.round(life.tookMs)));

      const fired = world.nodes.all().flatMap((node) => node.fired());
      expect(fired).toEqual(faultyNodes.map(([, fault]) => `${fault?.at} ${fault?.pass}`));
      expect(found).toMatchObject({ violations: [], failures: [] });
      expect(lives.filter(({ end }) => end === 'lost').length).toBeLessThanOrEqual(1);
    });
  }
});
