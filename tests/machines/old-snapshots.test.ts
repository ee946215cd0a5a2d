import { readdirSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { migrate } from '../../src/actors/memory.ts';
import { restore } from '../../src/actors/plan.ts';
import type { StoredSnapshot } from '../../src/actors/store.ts';
import { definitions } from '../../src/machines/index.ts';

const FOLDER = 'tests/machines/golden';
const { machine, machineVersion } = definitions.instance;
const versions = readdirSync(FOLDER).map((name) => Number(/-v(\d+)\.json$/.exec(name)?.[1]));

test('every version of the machine has left its snapshots', () => {
  expect(versions.sort()).toEqual(Array.from({ length: machineVersion }, (_, index) => index + 1));
});

test.each(versions)('every snapshot that version %i could store is loaded as it was', (version) => {
  const text = readFileSync(`${FOLDER}/instance-v${version}.json`, 'utf8');
  const snapshots = JSON.parse(text) as StoredSnapshot[];

  const lost = snapshots.filter((snapshot) => {
    const stored = { id: 'x', version: 1, machineVersion: version, snapshot };
    const { snapshot: current } = migrate(definitions.instance, stored);
    const restored = restore(machine, current);
    return JSON.stringify(restored.value) !== JSON.stringify(current.value);
  });

  expect(lost).toEqual([]);
  expect(snapshots.length).toBeGreaterThan(30);
});
