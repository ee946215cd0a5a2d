import { expect, test } from 'vitest';
import type { AnyStateMachine } from 'xstate';

import { instanceMachine } from '../../src/machines/instance/machine.ts';
import type { InstanceSnapshot } from '../support/instance-model.ts';
import { maintenanceModel } from '../support/maintenance-model.ts';
import { explore, type Node, search } from '../support/model.ts';
import { canBreak, checkInstance, stateIds } from './invariants.ts';
import { isGameOwed, isMaintained } from './maintenance-invariants.ts';

const TIMEOUT = { timeout: 60_000 };

const from = performance.now();
const model = maintenanceModel(instanceMachine);
const world = explore(model);

test('backups keep every invariant, whatever becomes of them', TIMEOUT, () => {
  const { states, transitions, violations, visited } = checkInstance(model, world);
  const tookS = ((performance.now() - from) / 1000).toFixed(1);
  console.log(`backups: ${states} states, ${transitions} transitions explored in ${tookS} s`);

  expect(violations).toEqual({});
  const ids = stateIds(instanceMachine.root).filter((id) => id.includes('.maintenance'));
  expect(ids.filter((id) => !visited.has(id))).toEqual([]);
});

type Found = Node<InstanceSnapshot>;

/** Every step from this state to the next. */
const stepsOf = ({ snapshot: before, key, edges }: Found, nodes: ReadonlyMap<string, Found>) =>
  edges.map(({ event, to }) => {
    const { snapshot: after } = nodes.get(to) as Found;
    return { before, event, after, where: `${event.type} in ${key}` };
  });

type Taken = ReturnType<typeof stepsOf>[number];

const all = [...world.nodes.values()].flatMap((node) => stepsOf(node, world.nodes));

const isAtRest = ({ host }: InstanceSnapshot['value']) => host === 'stopped' || host === 'absent';
/** Somebody wanted it off, or saw to it; or there is nothing to start any more. */
const settles = ({ before, event, after }: Taken): boolean =>
  ['game.resumed', 'delete.requested', 'game_stop.requested'].includes(event.type) ||
  (event as { code?: unknown }).code === 'game_crashed' ||
  after.value.host === 'absent' ||
  after.matches({ host: 'stopping' }) ||
  // Its start is that of the game.
  (!isMaintained(before) && after.matches({ host: 'starting' })) ||
  after.context.entitlement.suspendedAt !== null ||
  // Its operation had ended, and then it went off as any other container does.
  (!isMaintained(before) && isAtRest(after.value));

/** Where a game that was stopped for a restoration is forgotten. */
const forgets = (step: Taken): boolean =>
  isGameOwed(step.before) && !isGameOwed(step.after) && !settles(step);

test('a game that was stopped for a restoration is started again, however that ended', () => {
  expect(all.filter(forgets).map(({ where }) => where)).toEqual([]);
});

test('this fails for a machine that forgets it when the restoration has failed', () => {
  const guards = { mustResumeGame: () => false, wasGameRunning: () => false };

  const broken = maintenanceModel(instanceMachine.provide({ guards } as never));

  expect(search(broken).some(([node, nodes]) => stepsOf(node, nodes).some(forgets))).toBe(true);
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
  [
    'a game is started again although its files are being replaced',
    { isMaintenanceIdle: () => true },
    'INV-73 recovery and maintenance never see to the same game at once',
  ],
  [
    'backups are worked on while the game is being started again',
    { hasFreeAgentLane: () => true },
    'INV-73 recovery and maintenance never see to the same game at once',
  ],
])('the check fails for a machine in which %s', (_, guards, invariant) => {
  const broken = instanceMachine.provide({ guards: guards as never }) as AnyStateMachine;

  expect(canBreak(maintenanceModel(broken), invariant)).toBe(true);
});
