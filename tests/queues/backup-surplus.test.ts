import { expect, test } from 'vitest';

import { surplusOf } from '../../src/queues/workers/backup-surplus.ts';

const NOW = Date.UTC(2026, 10, 24);
const DAY_MS = 24 * 3_600_000;
const at = (days: number) => new Date(NOW - days * DAY_MS);

/** The newest first, each a day older than the one before, and verified unless it says otherwise. */
const backups = (...kinds: readonly ('sound' | 'locked' | 'unverified' | 'damaged' | 'gone')[]) =>
  kinds.map((kind, day) => ({
    backupId: `b${day}`,
    madeAt: at(day),
    seenAt: at(0),
    missingAt: kind === 'gone' ? at(0) : null,
    verifiedAt: kind === 'unverified' || kind === 'damaged' ? null : at(day),
    damagedAt: kind === 'damaged' ? at(day) : null,
    lockedAt: kind === 'locked' ? at(day) : null,
  }));
const ALL = { keepCount: null, keepDays: null };

test.each([
  ['nothing is too much without a rule', ['sound', 'sound'], ALL, []],
  ['the oldest go first', ['sound', 'sound', 'sound'], { ...ALL, keepCount: 1 }, ['b2', 'b1']],
  ['what is too old goes', ['sound', 'sound', 'sound'], { ...ALL, keepDays: 1 }, ['b2']],
  [
    'what is locked stays, and does not count',
    ['sound', 'locked', 'sound', 'locked'],
    { keepCount: 1, keepDays: 1 },
    ['b2'],
  ],
  [
    'the newest that is sound stays, however old it is and whatever came after it',
    ['unverified', 'damaged', 'sound', 'sound'],
    { keepCount: 1, keepDays: 1 },
    ['b3', 'b1'],
  ],
  [
    'where nothing was verified, the newest stays',
    ['unverified', 'unverified'],
    { keepCount: 1, keepDays: null },
    ['b1'],
  ],
  [
    'damaged ones took the places of sound ones',
    ['damaged', 'damaged', 'sound', 'sound', 'sound', 'sound'],
    { ...ALL, keepCount: 3 },
    ['b5', 'b1', 'b0'],
  ],
  ['what is gone is nobody’s business', ['sound', 'gone'], { ...ALL, keepCount: 1 }, []],
] as const)('%s', (_, kinds, rule, expected) => {
  expect(surplusOf(backups(...kinds), rule, NOW).map(({ backupId }) => backupId)).toEqual(expected);
});
