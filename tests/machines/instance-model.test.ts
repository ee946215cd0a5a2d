import { describe, expect, test } from 'vitest';
import { type AnyStateMachine, and, stateIn } from 'xstate';

import { listCalls } from '../../src/machines/instance/calls.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { explainWishes } from '../../src/machines/instance/wishes.ts';
import { explained } from '../support/explained.ts';
import { everyKind, kindOf } from '../support/instance-kinds.ts';
import {
  edgeModel,
  entitlementModel,
  type InstanceSnapshot,
  instanceModel,
  samplePlan,
} from '../support/instance-model.ts';
import { explore } from '../support/model.ts';
import { canBreak, checkInstance, type Report, stateIds } from './invariants.ts';

const PLAN = samplePlan(1);
const TIMEOUT = { timeout: 180_000 };

/** Of what is not published, which more than one test asks about. */
const model = instanceModel(instanceMachine);
const from = performance.now();
const world = explore(model);
const tookMs = performance.now() - from;
const snapshots = [...world.nodes.values()].map(({ snapshot }) => snapshot);

test('every reachable state of the instance machine keeps every invariant', TIMEOUT, () => {
  const models = {
    'published by DNS and Velocity': edgeModel(instanceMachine, PLAN),
    'paid for or not': entitlementModel(instanceMachine),
  };
  const visited = new Set<string>();
  const check = (name: string, before: number, found: Report) => {
    const { states, transitions, violations, visited: entered } = found;
    const tookS = ((performance.now() - before) / 1000).toFixed(1);
    console.log(`${name}: ${states} states, ${transitions} transitions explored in ${tookS} s`);
    for (const id of entered) visited.add(id);
    expect(violations).toEqual({});
    expect(states).toBeGreaterThan(300);
  };

  check('not published', performance.now() - tookMs, checkInstance(model, world));
  for (const [name, other] of Object.entries(models)) {
    check(name, performance.now(), checkInstance(other));
  }
  // Backups have a model of their own.
  const ids = stateIds(instanceMachine.root).filter((id) => !id.includes('.maintenance.'));
  expect(ids.filter((id) => !visited.has(id))).toEqual([]);
});

/** How each wish is answered. */
const answersIn = ({ value, context }: InstanceSnapshot) =>
  explainWishes({ value, context, since: {} } as never).map(
    ({ wish, refusal }) => `${wish}: ${refusal?.code ?? 'accepted'}`,
  );

test('one state of each kind leaves out no kind, and no answer to a wish', () => {
  const alive = snapshots.filter((snapshot) => !snapshot.hasTag('archived'));
  const few = everyKind(instanceMachine);

  expect(new Set(few.map(kindOf))).toEqual(new Set(alive.map(kindOf)));
  expect(new Set(few.flatMap(answersIn))).toEqual(new Set(alive.flatMap(answersIn)));
  expect(few.length).toBeLessThan(alive.length / 10);
});

describe('an explanation of every reachable state', () => {
  const nodes = snapshots.map((snapshot) => ({ snapshot, regions: explained(snapshot) }));

  test('whatever can move a region has been foretold', () => {
    const surprises = nodes.flatMap(({ snapshot, regions }) =>
      model.events(snapshot).flatMap((event) =>
        instanceMachine
          .getTransitionData(snapshot, event as never)
          .flatMap(({ source, target }) => (target?.[0] ? [[source, target[0]] as const] : []))
          .filter(([source, target]) => {
            const region = regions[source.path[0] as keyof typeof regions];
            const name = /^xstate\.after\.(\w+)/.exec(event.type)?.[1] ?? event.type;
            const state = target.path.slice(1).join('.');
            return !region.next.some((one) => one.on === name && one.state === state);
          })
          .map(([source]) => `${event.type} in ${source.id}`),
      ),
    );

    expect(nodes.length).toBeGreaterThan(300);
    expect([...new Set(surprises)]).toEqual([]);
  });

  test('a call in flight has one region that waits for it', () => {
    for (const { snapshot, regions } of nodes) {
      const inFlight = listCalls(snapshot.context.ops).map(({ op }) => op.kind);
      const waitedFor = Object.values(regions).flatMap(({ waitsFor }) => waitsFor.calls);
      expect(waitedFor.map(({ kind }) => kind).sort()).toEqual(inFlight.sort());
    }
  });

  test('what resolves by itself has a deadline, and every state has words', () => {
    for (const { regions } of nodes) {
      for (const region of Object.values(regions)) {
        if (region.isTransient) expect(region.deadline).not.toBeNull();
        expect(region.description).toEqual(expect.any(String));
      }
    }
  });
});

test.each([
  [
    'the host region stops for a deletion without asking whether the lane is free',
    { isStopDemanded: () => true },
    'INV-2 who performs holds the lane',
  ],
  [
    'an answer is believed whatever call it belongs to',
    { isHostOp: () => true },
    'INV-2 who performs holds the lane',
  ],
  [
    'the host region goes on while the container is destroyed',
    { isToBeAbandoned: () => false },
    'INV-6 deleted means off and gone, or owed',
  ],
  [
    'power may be changed while somebody else is at it',
    { mayPower: () => true },
    'INV-1 host calls never overlap',
  ],
  [
    'a game is started again however often it dies',
    { mayRecover: and(['isCrashed', stateIn({ provisioning: 'ready' }), 'hasFreeAgentLane']) },
    'INV-13 a game is not started again more often than it may be',
  ],
])('the check fails for a machine in which %s', (_, guards, invariant) => {
  const broken = instanceMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(instanceModel(broken), invariant)).toBe(true);
});

test.each([
  [
    'whoever is registered stays it wherever the container goes',
    { isRegistrationStale: () => false },
    'INV-24 a registration leads to where the container is now',
  ],
  [
    'a deletion neither waits for third parties nor owes what they keep',
    { isUnpublished: () => true, isEdgeOverdue: () => false, isProxyOverdue: () => false },
    'INV-25 deleted means that nothing is known of it outside, or owed',
  ],
  [
    'nobody waits for the calls to targets to end',
    { hasFreeEdgeLanes: () => true },
    'INV-31 at rest no call to a target is in flight',
  ],
  [
    'everything is published at once',
    { isPublishDemanded: () => true },
    'INV-23 what is published is in service, and so was ready',
  ],
  [
    'a target that failed counts as told',
    { areTargetsPublished: () => true },
    'INV-28 published means that every target has it',
  ],
])('the check fails for a published machine in which %s', (_, guards, invariant) => {
  const broken = instanceMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(edgeModel(broken, PLAN), invariant)).toBe(true);
});

test.each([
  [
    'nobody stops what is not paid for',
    { isSuspensionDemanded: () => false },
    'INV-33 what is suspended is not left running',
  ],
  [
    'nobody starts what is paid for again',
    { isResumeDemanded: () => false },
    'INV-34 what is paid for again and ran before is not left stopped',
  ],
])('the check fails for a machine in which %s', (_, guards, invariant) => {
  const broken = instanceMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(entitlementModel(broken), invariant)).toBe(true);
});
