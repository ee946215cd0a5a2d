import { expect, test } from 'vitest';

import { createFleet, type FleetEntry } from '../../src/view/fleet.ts';

const entryOf = (vmid: number, version = 1, more: Partial<FleetEntry> = {}): FleetEntry => ({
  id: `${vmid}-a`,
  vmid,
  version,
  customerId: 'c-1',
  state: {} as FleetEntry['state'],
  createdAt: new Date(0),
  updatedAt: new Date(version),
  derived: new Map(),
  ...more,
});
const vmidsOf = (entries: readonly FleetEntry[]) => entries.map(({ vmid }) => vmid);

test('a version never goes back, whatever the order of the news', () => {
  const fleet = createFleet();

  fleet.take([entryOf(5001, 3)]);
  fleet.take([entryOf(5001, 2)]);

  expect(fleet.get(5001)?.version).toBe(3);
  expect(fleet.versionOf('5001-a')).toBe(3);
});

test('what has ended stays so, whatever arrives late', () => {
  const fleet = createFleet();
  fleet.take([entryOf(5001, 3)]);

  fleet.end([{ id: '5001-a', version: 4 }]);
  fleet.take([entryOf(5001, 3)]);

  expect(fleet.get(5001)).toBeUndefined();
  expect(fleet.select({ customerId: 'c-1' })).toEqual([]);
  expect(fleet.versionOf('5001-a')).toBe(4);
});

test('a VMID that is used again belongs to its new instance, also before the end of the former', () => {
  const fleet = createFleet();
  fleet.take([entryOf(5001, 7)]);

  fleet.take([entryOf(5001, 1, { id: '5001-b', customerId: 'c-2' })]);
  fleet.end([{ id: '5001-a', version: 8 }]);

  expect(fleet.get(5001)).toMatchObject({ id: '5001-b', customerId: 'c-2' });
  expect(fleet.select({ customerId: 'c-1' })).toEqual([]);
  expect(vmidsOf(fleet.select({ customerId: 'c-2' }))).toEqual([5001]);
});

test('lists are in the order of VMIDs, by customer, from any place on, up to a limit', () => {
  const fleet = createFleet();
  const other = { customerId: 'c-2' };

  fleet.take([entryOf(5003), entryOf(5001), entryOf(5002, 1, other)]);
  fleet.take([entryOf(5004)]);

  expect(vmidsOf(fleet.select({ customerId: null }))).toEqual([5001, 5002, 5003, 5004]);
  expect(vmidsOf(fleet.select({ customerId: 'c-1' }))).toEqual([5001, 5003, 5004]);
  expect(vmidsOf(fleet.select({ customerId: 'c-1', afterVmid: 5001, limit: 1 }))).toEqual([5003]);
  expect(fleet.select({ customerId: 'c-3' })).toEqual([]);
  const matches = ({ vmid }: FleetEntry) => vmid > 5003;
  expect(vmidsOf(fleet.select({ customerId: null, matches }))).toEqual([5004]);
});

test('the dates of the database replace those of a node that guessed them', () => {
  const fleet = createFleet();
  fleet.take([entryOf(5001, 1), entryOf(5002, 5)]);
  fleet.get(5001)?.derived.set('text', 'old');
  const at = new Date(99);

  fleet.date([
    { id: '5001-a', version: 1, at },
    { id: '5002-a', version: 4, at },
  ]);

  expect(fleet.get(5001)).toMatchObject({ createdAt: at, updatedAt: at });
  expect(fleet.get(5001)?.derived.size).toBe(0);
  expect(fleet.get(5002)?.updatedAt).toEqual(new Date(5));
});

test('every change is announced, and costs the same in a fleet of any size', () => {
  const fleet = createFleet();
  const all = Array.from({ length: 10_000 }, (_, index) => entryOf(5000 + index));
  fleet.replace(all);
  const before = fleet.revision();
  const heard: number[] = [];
  const stop = fleet.subscribe(() => heard.push(fleet.revision()));

  const startedAt = performance.now();
  for (let round = 2; round < 12; round += 1) {
    for (let vmid = 5000; vmid < 6000; vmid += 1) fleet.take([entryOf(vmid, round)]);
  }
  const elapsedMs = performance.now() - startedAt;
  stop();

  expect(fleet.revision() - before).toBe(10_000);
  expect(heard).toHaveLength(10_000);
  expect(fleet.get(5999)?.version).toBe(11);
  // A copy of the fleet for each change would take several seconds.
  expect(elapsedMs).toBeLessThan(1_000);
});
