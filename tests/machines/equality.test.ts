import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';
import { transition } from 'xstate';

import { type Action, createTransition } from '../../src/actors/transition.ts';
import { definitions } from '../../src/machines/index.ts';
import { listCalls } from '../../src/machines/instance/calls.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { published } from '../support/instance-life.ts';
import { type InstanceSnapshot, worldEvents } from '../support/instance-model.ts';
import { restore } from '../support/model.ts';

const seen = (snapshot: InstanceSnapshot, actions: readonly Action[]) =>
  JSON.stringify([
    snapshot.value,
    snapshot.context,
    snapshot.status,
    actions.map(({ type, params }) => [type, params]),
  ]);

const WALK = 3_000;
const walk = createTransition(instanceMachine);

/** Every state that its version has left to us, and more; what was counted decides less. */
function distinctStates(): readonly InstanceSnapshot[] {
  const { machineVersion } = definitions.instance;
  const file = `tests/machines/golden/instance-v${machineVersion}.json`;
  const stored = JSON.parse(readFileSync(file, 'utf8')) as readonly InstanceSnapshot[];
  const left = stored.map((snapshot) => restore(instanceMachine, snapshot));
  const found = new Map<string, InstanceSnapshot>();
  // Of what is published, a long walk will do: all of it takes minutes.
  let walking = published().state as InstanceSnapshot;
  for (let turn = 0; turn < WALK; turn += 1) {
    if (walking.hasTag('archived')) walking = published().state as InstanceSnapshot;
    const { edge, proxy } = walking.value;
    const calls = listCalls(walking.context.ops).map(({ lane, op }) => [lane, op.kind]);
    found.set(JSON.stringify([edge, proxy, calls]), walking);
    const events = worldEvents(walking);
    // A step that has no divisor in common with most numbers of events visits all of them.
    const event = events[(turn * 7_919) % events.length];
    if (event) walking = restore(instanceMachine, walk(walking, event)[0]);
  }
  return [...left, ...found.values()];
}

const STATES = distinctStates();

test('our cheap transition answers what XState answers, from every state', () => {
  const step = createTransition(instanceMachine);
  const differences: unknown[] = [];
  let compared = 0;

  for (const snapshot of STATES) {
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

  for (const snapshot of STATES) {
    const twice = restore(instanceMachine, restore(instanceMachine, snapshot));
    for (const event of worldEvents(snapshot).slice(0, 6)) {
      expect(seen(...step(twice, event))).toBe(seen(...step(snapshot, event)));
    }
  }
});
