import { expect, test } from 'vitest';
import { transition } from 'xstate';

import { type Action, createTransition } from '../../src/actors/transition.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { type InstanceSnapshot, instanceModel, worldEvents } from '../support/instance-model.ts';
import { explore, restore } from '../support/model.ts';

const seen = (snapshot: InstanceSnapshot, actions: readonly Action[]) =>
  JSON.stringify([
    snapshot.value,
    snapshot.context,
    snapshot.status,
    actions.map(({ type, params }) => [type, params]),
  ]);

test('our cheap transition answers what XState answers, from every reachable state', () => {
  const step = createTransition(instanceMachine);
  const world = explore(instanceModel(instanceMachine));
  const differences: unknown[] = [];
  let compared = 0;

  for (const { snapshot } of world.nodes.values()) {
    for (const event of worldEvents(snapshot)) {
      compared += 1;
      const [ours, actions] = step(snapshot, event);
      const [theirs, expected] = transition(instanceMachine, snapshot, event as never);
      const isSame =
        seen(ours, actions) === seen(theirs, expected as readonly Action[]) &&
        (ours === snapshot) === (theirs === snapshot);
      if (!isSame) differences.push({ state: snapshot.value, event });
    }
  }

  expect(differences).toEqual([]);
  expect(compared).toBeGreaterThan(20_000);
});

test('a step from a state that was stored and restored again and again is always the same', () => {
  const step = createTransition(instanceMachine);
  const world = explore(instanceModel(instanceMachine));

  for (const { snapshot } of world.nodes.values()) {
    const twice = restore(instanceMachine, restore(instanceMachine, snapshot));
    for (const event of worldEvents(snapshot).slice(0, 6)) {
      expect(seen(...step(twice, event))).toBe(seen(...step(snapshot, event)));
    }
  }
});
