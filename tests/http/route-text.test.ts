import { expect, test } from 'vitest';

import { describeRoutes } from '../../src/clients/traefik/routes.ts';
import { createRouteText } from '../../src/http/route-text.ts';
import type { Target, TargetState } from '../../src/machines/instance/edge-types.ts';
import type { InstanceState } from '../../src/machines/instance/status.ts';
import { createFleet, type FleetEntry } from '../../src/view/fleet.ts';

interface Place {
  readonly vmid: number;
  readonly protocol?: 'tcp' | 'udp';
  readonly state?: TargetState;
  readonly ip?: string | null;
  readonly version?: number;
}

function entryOf({ vmid, protocol = 'tcp', state = 'published', ip, version = 1 }: Place) {
  const spec = { kind: 'router', protocol, port: vmid, backendPort: 7_777 } as const;
  const target: Target = {
    spec: { ...spec, entryPoint: `game-${vmid}` },
    state,
    since: 1,
    failure: null,
  };
  const payload = { edge: { isWanted: true, targets: [target], next: null } };
  const context = { hostname: `game-${vmid}`, ip: ip === undefined ? '10.0.0.7' : ip, payload };
  return {
    ...{ id: `${vmid}-a`, vmid, version, customerId: 'c-1' },
    state: { value: {}, since: {}, context } as unknown as InstanceState,
    ...{ createdAt: new Date(1), updatedAt: new Date(version), derived: new Map() },
  } satisfies FleetEntry;
}

const routeTo = (vmid: number, protocol: 'tcp' | 'udp', ip = '10.0.0.7') => ({
  ...{ name: `game-${vmid}`, entryPoint: `game-${vmid}`, protocol, ip, port: 7_777 },
});

function setUp(...places: readonly Place[]) {
  const fleet = createFleet();
  fleet.take(places.map(entryOf));
  return { fleet, read: createRouteText(fleet) };
}

test('is what the client describes, by name and without empty sections', () => {
  const { read } = setUp(
    { vmid: 999 },
    { vmid: 1000, protocol: 'udp' },
    { vmid: 1001 },
    { vmid: 1002, state: 'absent' },
    { vmid: 1003, ip: null },
  );
  const { read: onlyUdp } = setUp({ vmid: 1000, protocol: 'udp' });
  const { read: empty } = setUp();

  const routes = [routeTo(999, 'tcp'), routeTo(1000, 'udp'), routeTo(1001, 'tcp')];
  expect(read().text).toBe(JSON.stringify(describeRoutes(routes)));
  expect(onlyUdp().text).toBe(JSON.stringify(describeRoutes([routeTo(1000, 'udp')])));
  expect(empty().text).toBe('{}');
});

test('is another only if a route is', () => {
  const { fleet, read } = setUp({ vmid: 1000 }, { vmid: 1001 });

  const before = read();
  fleet.take([entryOf({ vmid: 1000, version: 2 })]);
  const unmoved = read();
  fleet.take([entryOf({ vmid: 1000, version: 3, ip: '10.0.0.8' })]);
  const moved = read();
  fleet.end([{ id: '1000-a', version: 4 }]);
  const ended = read();
  fleet.end([{ id: '1001-a', version: 2 }]);
  const empty = read();

  expect(unmoved).toBe(before);
  expect(moved.etag).not.toBe(before.etag);
  expect(JSON.parse(moved.text)).toEqual(
    describeRoutes([routeTo(1000, 'tcp', '10.0.0.8'), routeTo(1001, 'tcp')]),
  );
  expect(JSON.parse(ended.text)).toEqual(describeRoutes([routeTo(1001, 'tcp')]));
  expect(empty.text).toBe('{}');
  expect(new Set([before, moved, ended, empty].map(({ etag }) => etag)).size).toBe(4);
});
