import { expect, test } from 'vitest';
import { type AnyStateMachine, and, stateIn } from 'xstate';

import { instanceMachine } from '../../src/machines/instance/machine.ts';
import {
  edgeModel,
  entitlementModel,
  instanceModel,
  samplePlan,
} from '../support/instance-model.ts';
import { canBreak, checkInstance, stateIds } from './invariants.ts';

const PLAN = samplePlan(1);
const TIMEOUT = { timeout: 180_000 };

test('every reachable state of the instance machine keeps every invariant', TIMEOUT, () => {
  const models = {
    'not published': instanceModel(instanceMachine),
    'published by DNS and Velocity': edgeModel(instanceMachine, PLAN),
    'paid for or not': entitlementModel(instanceMachine),
  };
  const visited = new Set<string>();

  for (const [name, model] of Object.entries(models)) {
    const from = performance.now();
    const { states, transitions, violations, visited: entered } = checkInstance(model);
    const tookS = ((performance.now() - from) / 1000).toFixed(1);
    console.log(`${name}: ${states} states, ${transitions} transitions explored in ${tookS} s`);
    for (const id of entered) visited.add(id);
    expect(violations).toEqual({});
    expect(states).toBeGreaterThan(300);
  }
  // Backups have a model of their own.
  const ids = stateIds(instanceMachine.root).filter((id) => !id.includes('.maintenance.'));
  expect(ids.filter((id) => !visited.has(id))).toEqual([]);
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
