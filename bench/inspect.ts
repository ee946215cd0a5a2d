import { performance } from 'node:perf_hooks';

import { initialTransition } from 'xstate';

import { createTransition } from '../src/actors/transition.ts';
import { createWatching } from '../src/http/inspect/watch.ts';
import { instanceMachine } from '../src/machines/instance/machine.ts';
import type { InstanceState } from '../src/machines/instance/status.ts';
import type { FleetEntry } from '../src/view/fleet.ts';
import type { JournalEntry } from '../src/view/journal.ts';
import type { TailListener } from '../src/view/tail.ts';
import { sampleInput } from '../tests/support/instance-model.ts';

/** What watching costs a step: of an instance that is watched, and of one that is not. */
const STEPS = 50_000;
const FLEET = 1_000;

const [initial] = initialTransition(instanceMachine, sampleInput());
const entries = Array.from({ length: FLEET }, (_, index): FleetEntry => {
  const vmid = 5_001 + index;
  const state = { value: initial.value, context: { ...initial.context, vmid } };
  const dates = { createdAt: new Date(0), updatedAt: new Date(0) };
  return {
    ...{ id: `${vmid}-x`, vmid, version: 1, customerId: 'u', ...dates, derived: new Map() },
    state: state as unknown as InstanceState,
  };
});
const byVmid = new Map(entries.map((entry) => [entry.vmid, entry]));
const journal = Array.from({ length: STEPS }, (_, index): JournalEntry => {
  const vmid = 5_001 + (index % FLEET);
  return {
    ...{ seq: index + 1, id: `${vmid}-x`, vmid, version: 2, at: new Date(0) },
    ...{ type: 'agent.ready', regions: initial.value, customerId: 'u' },
  };
});
const ofOne = journal.map((entry) => ({ ...entry, vmid: 5_001, id: '5001-x' }));

function measure(watched: readonly number[], steps: readonly JournalEntry[]) {
  let listener: TailListener | undefined;
  const tail = {
    subscribe(one: TailListener) {
      listener = one;
      return () => {};
    },
  };
  const fleet = { get: (vmid: number) => byVmid.get(vmid), select: () => entries };
  const watching = createWatching({ fleet, tail, machine: instanceMachine });
  let sent = 0;
  using _ = watching.watch(new Set(watched), () => {
    sent += 1;
  });
  const begunAt = performance.now();
  listener?.followed(steps);
  const us = ((performance.now() - begunAt) * 1_000) / steps.length;
  return { us, sent };
}

const step = createTransition(instanceMachine);
const begunAt = performance.now();
for (let nth = 0; nth < 5_000; nth += 1) {
  step(initial as never, { type: 'effect.failed', opId: 'stale', at: 1 } as never);
}
const transitionUs = ((performance.now() - begunAt) * 1_000) / 5_000;

measure([4_999], journal);
const idle = measure([4_999], journal);
const busy = measure([5_001], ofOne.slice(0, 5_000));
const row = (name: string, us: number, sent: number) =>
  console.log(
    `${name.padEnd(40)} ${us.toFixed(3).padStart(9)} µs a step  ×${(us / transitionUs).toFixed(3)} of a transition  ${sent} messages`,
  );
row('one transition that changes nothing', transitionUs, 0);
row('a step of an instance nobody watches', idle.us, idle.sent);
row('a step of the one that is watched', busy.us, busy.sent);
