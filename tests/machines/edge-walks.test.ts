import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { TargetSpec } from '../../src/machines/instance/edge-types.ts';
import { instanceMachine } from '../../src/machines/instance/machine.ts';
import { install, observed, type Snapshot, step } from '../support/instance-life.ts';
import { samplePlan, worldEvents } from '../support/instance-model.ts';
import { restore } from '../support/model.ts';
import { EDGE_INVARIANTS } from './edge-invariants.ts';
import { deleteInACooperativeWorld } from './invariants.ts';

/** One of each kind: more than the model check can explore in full. */
const ROUTED: readonly TargetSpec[] = [
  {
    kind: 'router',
    entryPoint: 'terraria-7777',
    protocol: 'tcp',
    port: 7_777,
    backendPort: 7_777,
  },
  { kind: 'forward', protocol: 'tcp', port: 7_777, targetIp: '10.0.0.2', targetPort: 7_777 },
];
const PLAN = { ...samplePlan(2), targets: [...samplePlan(2).targets, ...ROUTED] };

function ready(): Snapshot {
  const life = install({ plan: PLAN });
  life.send(observed('ready'));
  return life.state;
}

const broken = (snapshot: Snapshot): readonly string[] =>
  Object.entries(EDGE_INVARIANTS).flatMap(([name, holds]) => (holds(snapshot) ? [] : [name]));

test('with a target of every kind, whatever happens in whatever order breaks no invariant', () => {
  const walk = fc.array(fc.nat(), { minLength: 20, maxLength: 120 });
  let steps = 0;

  fc.assert(
    fc.property(walk, (choices) => {
      let snapshot = ready();
      for (const choice of choices) {
        const events = worldEvents(snapshot);
        const event = events[choice % events.length];
        if (!event || snapshot.hasTag('archived')) break;
        snapshot = restore(instanceMachine, step(snapshot, event)[0]);
        steps += 1;
        expect(broken(snapshot), event.type).toEqual([]);
      }
      if (snapshot.hasTag('archived')) return;
      const end = deleteInACooperativeWorld(step as never, snapshot);
      expect(end.hasTag('archived'), JSON.stringify(snapshot.value)).toBe(true);
      expect(broken(end)).toEqual([]);
    }),
    { numRuns: 400 },
  );

  console.log(`${steps} steps of random walks`);
  expect(steps).toBeGreaterThan(5_000);
});
