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

/** Every state with every call in flight; what was counted and remembered decides less. */
function distinctStates(): readonly InstanceSnapshot[] {
  const found = new Map<string, InstanceSnapshot>();
  for (const { snapshot } of explore(instanceModel(instanceMachine)).nodes.values()) {
    const { host, agent } = snapshot.context.ops;
    found.set(JSON.stringify([snapshot.value, host?.kind, agent?.kind]), snapshot);
  }
  return [...found.values()];
}

test('our cheap transition answers what XState answers, from every state with every call in flight', () => {
  const step = createTransition(instanceMachine);
  const differences: unknown[] = [];
  let compared = 0;

  for (const snapshot of distinctStates()) {
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
  expect(compared).toBeGreaterThan(3_000);
});

test('a step from a state that was stored and restored again and again is always the same', () => {
  const step = createTransition(instanceMachine);

  for (const snapshot of distinctStates()) {
    const twice = restore(instanceMachine, restore(instanceMachine, snapshot));
    for (const event of worldEvents(snapshot).slice(0, 6)) {
      expect(seen(...step(twice, event))).toBe(seen(...step(snapshot, event)));
    }
  }
});
