import { readdirSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { migrate } from '../../src/actors/memory.ts';
import { restore } from '../../src/actors/plan.ts';
import type { StoredSnapshot } from '../../src/actors/store.ts';
import { definitions } from '../../src/machines/index.ts';

const FOLDER = 'tests/machines/golden';
const FEWEST = { instance: 30, subscription: 50 } as const;
const KINDS = Object.keys(definitions) as (keyof typeof definitions)[];

const files = readdirSync(FOLDER);
const versionsOf = (kind: string) =>
  files.flatMap((name) => {
    const [, of, version] = /^(\w+)-v(\d+)\.json$/.exec(name) ?? [];
    return of === kind ? [Number(version)] : [];
  });

test.each(KINDS)('every version of the machine `%s` has left its snapshots', (kind) => {
  const { machineVersion } = definitions[kind];
  const all = Array.from({ length: machineVersion }, (_, index) => index + 1);
  expect(versionsOf(kind).sort()).toEqual(all);
});

const stored = KINDS.flatMap((kind) => versionsOf(kind).map((version) => ({ kind, version })));

test.each(stored)(
  'every snapshot that version $version of `$kind` could store is loaded as it was',
  ({ kind, version }) => {
    const text = readFileSync(`${FOLDER}/${kind}-v${version}.json`, 'utf8');
    const snapshots = JSON.parse(text) as StoredSnapshot[];

    const lost = snapshots.filter((snapshot) => {
      const row = { id: 'x', version: 1, machineVersion: version, snapshot };
      const { snapshot: current } = migrate(definitions[kind], row);
      const restored = restore(definitions[kind].machine, current);
      return JSON.stringify(restored.value) !== JSON.stringify(current.value);
    });

    expect(lost).toEqual([]);
    expect(snapshots.length).toBeGreaterThan(FEWEST[kind]);
  },
);

test.each([
  ['stopped', { owing: 'performing' }, { owing: { unpowered: 'due' } }, true],
  [{ starting: 'performing' }, { owing: 'pausing' }, { owing: { unpowered: 'starting' } }, true],
  ['running', { owing: 'pausing' }, { owing: 'pausing' }, true],
  ['running', 'idle', 'idle', false],
])(
  'an instance of version 5 whose container is %j and that is %j owes its game what it owed',
  (host, maintenance, expected, wasRunning) => {
    const [first] = JSON.parse(readFileSync(`${FOLDER}/instance-v5.json`, 'utf8'));
    const ops = { ...first.context.ops, backup: { id: '1', kind: 'resume', since: 0, upid: null } };
    const snapshot = {
      ...first,
      value: { ...first.value, host, maintenance },
      context: {
        ...first.context,
        ops,
        maintenance: { ...first.context.maintenance, wasRunning: true },
      },
    };

    const row = { id: 'x', version: 1, machineVersion: 5, snapshot };
    const { value, context } = migrate(definitions.instance, row).snapshot;

    expect(value).toMatchObject({ host, maintenance: expected });
    expect(context).toMatchObject({
      maintenance: { wasRunning },
      ops: { backup: typeof Object.values(expected)[0] === 'object' ? null : ops.backup },
    });
  },
);
