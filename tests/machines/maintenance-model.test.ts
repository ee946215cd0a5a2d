import { expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';

import { instanceMachine } from '../../src/machines/instance/machine.ts';
import type { InstanceSnapshot } from '../support/instance-model.ts';
import { maintenanceModel } from '../support/maintenance-model.ts';
import { explore, type Node } from '../support/model.ts';
import { canBreak, checkInstance, stateIds } from './invariants.ts';
import { isGameOwed, isMaintained } from './maintenance-invariants.ts';

const TIMEOUT = { timeout: 60_000 };

test('backups keep every invariant, whatever becomes of them', TIMEOUT, () => {
  const from = performance.now();
  const { states, transitions, violations, visited } = checkInstance(
    maintenanceModel(instanceMachine),
  );
  const tookS = ((performance.now() - from) / 1000).toFixed(1);
  console.log(`backups: ${states} states, ${transitions} transitions explored in ${tookS} s`);

  expect(violations).toEqual({});
  const ids = stateIds(instanceMachine.root).filter((id) => id.includes('.maintenance'));
  expect(ids.filter((id) => !visited.has(id))).toEqual([]);
});

/** Every step from one reachable state to the next. */
function* steps(machine: AnyStateMachine) {
  const { nodes } = explore(maintenanceModel(machine));
  for (const { snapshot: before, key, edges } of nodes.values()) {
    for (const { event, to } of edges) {
      const { snapshot: after } = nodes.get(to) as Node<InstanceSnapshot>;
      yield { before, event, after, where: `${event.type} in ${key}` };
    }
  }
}

const all = [...steps(instanceMachine)];

/** Where a game that was stopped for a restoration is forgotten. */
const forgotten = (taken: Iterable<(typeof all)[number]>) =>
  [...taken].filter(
    ({ before, event, after }) =>
      isGameOwed(before) &&
      !isGameOwed(after) &&
      event.type !== 'game.resumed' &&
      event.type !== 'delete.requested' &&
      // Somebody wanted it off, or there is nothing to start any more.
      after.value.host !== 'absent' &&
      !after.matches({ host: 'stopping' }) &&
      after.context.entitlement.suspendedAt === null,
  );

test('a game that was stopped for a restoration is started again, however that ended', () => {
  expect(forgotten(all).map(({ where }) => where)).toEqual([]);
});

test('this fails for a machine that forgets it when the restoration has failed', () => {
  const guards = { mustResumeGame: () => false };

  expect(forgotten(steps(instanceMachine.provide({ guards } as never)))).not.toEqual([]);
});

test('nobody changes power while backups are worked on, but to delete the container', () => {
  const changes = all.filter(
    ({ before, event, after }) =>
      isMaintained(before) && isMaintained(after) && /^(start|stop|restart)\.req/.test(event.type),
  );

  expect(changes.map(({ where }) => where)).toEqual([]);
});

test.each([
  [
    'power may be changed meanwhile',
    { isUnmaintained: () => true },
    'INV-62 while backups are worked on nobody changes power',
  ],
  [
    'an agent is asked although its container is off',
    { isHostDown: () => false },
    'INV-62 while backups are worked on nobody changes power',
  ],
])('the check fails for a machine in which %s', (_, guards, invariant) => {
  const broken = instanceMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(maintenanceModel(broken), invariant)).toBe(true);
});
