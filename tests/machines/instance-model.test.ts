import { expect, test } from 'vitest';
import { type AnyStateMachine, and, stateIn } from 'xstate';

import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { canBreak, checkInstance } from './invariants.ts';

test('every reachable state of the instance machine keeps every invariant', () => {
  const { states, transitions, violations } = checkInstance(instanceMachine);

  console.log(`instance machine: ${states} states, ${transitions} transitions explored`);
  expect(violations).toEqual({});
  expect(states).toBeGreaterThan(300);
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

  expect(canBreak(broken, invariant)).toBe(true);
});
