import assert from 'node:assert/strict';

import type { ActorEvent } from '../../src/actors/address.ts';
import { planBirth } from '../../src/actors/birth.ts';
import type { ActorDefinition } from '../../src/actors/definition.ts';
import { type Plan, planRows, restore } from '../../src/actors/plan.ts';
import type { StoredSnapshot } from '../../src/actors/store.ts';
import { createTransition } from '../../src/actors/transition.ts';
import { type MachineName, PLANS } from './machines.ts';

interface Beat {
  readonly event: ActorEvent;
  /** It answers the n-th call that this round has begun. */
  readonly op?: number;
  /** It tells the end of the effect that this beat asked for. */
  readonly ends?: number;
}

const host = (power: string, ends?: number): Beat => ({
  event: { type: 'host.observed', power, node: 'pve1', opId: null },
  ...(ends !== undefined && { ends }),
});
const agent = (condition: string, installStep: string | null = null): Beat => ({
  event: {
    type: 'agent.observed',
    condition,
    readySource: condition === 'ready' ? 'console' : null,
    installStep,
    state: null,
    crashCount: null,
  },
});
const answer = (op: number, type: string, ends?: number, fields: object = {}): Beat => ({
  event: { type, ...fields },
  op,
  ...(ends !== undefined && { ends }),
});
const ADDRESS = '10.0.12.34';

const BOOT = [
  answer(3, 'container.started'),
  answer(4, 'address.found', undefined, { ip: ADDRESS }),
  answer(5, 'agent.configured'),
];
const PROVISION = [
  answer(1, 'container.cloned', undefined, { node: 'pve1' }),
  answer(2, 'container.configured'),
  ...BOOT,
];

const reached: Beat = {
  event: {
    type: 'proxy.reported',
    status: 'proxy_ping_ok',
    serverName: 'mc-vanilla-5001',
    address: ADDRESS,
    port: 25_565,
    duplicate: false,
    latencyMs: 3,
    detail: null,
    reportedAt: null,
  },
};

/** A server in service: it is stopped by hand, comes back, installs, gets ready, and crashes. */
const SERVICE: Readonly<Record<MachineName, readonly Beat[]>> = {
  plain: [
    host('stopped'),
    host('running'),
    agent('alive', 'unpacking'),
    agent('alive', 'starting'),
    agent('ready'),
    agent('crashed'),
    agent('ready'),
  ],
  // Its name is taken back until its address is known again, and DNS has lost it once.
  published: [
    host('stopped'),
    host('running'),
    answer(1, 'proxy.unregistered', 1),
    { event: { type: 'address.found', opId: null, ip: ADDRESS } },
    agent('alive', 'unpacking'),
    agent('alive', 'starting'),
    agent('ready'),
    answer(2, 'proxy.registered', 3, { isVerified: true }),
    reached,
    { event: { type: 'target.lost', kind: 'public_dns', message: 'it is not in DNS any more' } },
    answer(3, 'target.published', 9),
    // Not a crash: how many of them are answered by a call depends on how many there were.
    agent('unreachable'),
    agent('ready'),
  ],
};

/** A server whose provisioning is retried, call by call, until it is stopped before it is ready. */
const RETRY: readonly Beat[] = [
  { event: { type: 'retry.requested', operationId: 'op-bench', requestedBy: 'c-1' } },
  answer(1, 'task.started', undefined, { upid: 'UPID:pve1:0003A1B2:0F00BA12:65A0:vzstart:5001:' }),
  answer(1, 'container.started', 0),
  answer(2, 'address.found', 2, { ip: ADDRESS }),
  answer(3, 'agent.configured', 3),
  agent('alive', 'unpacking'),
  agent('alive', 'starting'),
  host('stopped', 4),
];

/** A round of events that leads an instance back to where it began, and the state it begins in. */
export interface Life {
  readonly start: { readonly version: number; readonly snapshot: StoredSnapshot };
  readonly beats: readonly Beat[];
  readonly opsPerRound: number;
  /** For each beat: the place of its effect among its actions, or -1; and its timer rows. */
  readonly effects: readonly number[];
  readonly timers: readonly number[];
}

export const sampleInput = {
  id: '5001-bench',
  vmid: 5001,
  customerId: 'c-1',
  ctype: 'game',
  hostname: 'mc-vanilla-5001',
  engineType: 'minecraft',
  allocatedPorts: [25_565],
  payload: {
    game: 'minecraft',
    variant: 'vanilla',
    runtime: null,
    version: '1.20.4',
    world: null,
    memoryMiB: 2048,
    cpuCores: 2,
  },
  plan: PLANS.plain,
  readyDeadlineMs: 600_000,
  restarts: { max: 3, windowMs: 600_000 },
  operation: { id: 'op-1', requestedBy: 'c-1' },
  at: 1,
};

/** Steps one instance through its round twice, and proves that each event writes something. */
function compile(
  definition: ActorDefinition,
  { input, prelude, beats }: { input: object; prelude: readonly Beat[]; beats: readonly Beat[] },
) {
  const { id } = sampleInput;
  const birth = planBirth(definition, { kind: 'instance', id, input, eventId: 'created', at: 1 });
  const step = createTransition(definition.machine);
  let stored = { version: birth.version, snapshot: birth.snapshot };

  function take({ event, op }: Beat, opSeq: number): Plan {
    const before = restore(definition.machine, stored.snapshot);
    const full = { ...event, ...(op && { opId: String(opSeq + op) }), at: stored.version };
    const [after, actions] = step(before as never, full);
    assert(after !== before, `${event.type} changes nothing in ${JSON.stringify(before.value)}`);
    const version = stored.version + 1;
    const plan = planRows({ id, version, before: stored.snapshot, at: version }, after, actions);
    stored = { version, snapshot: plan.snapshot };
    return plan;
  }

  for (const beat of prelude) take(beat, 0);
  const start = stored;
  const opSeqOf = () => (stored.snapshot.context as { opSeq: number }).opSeq;
  const opSeq = opSeqOf();
  const plans = beats.map((beat) => take(beat, opSeq));
  const opsPerRound = opSeqOf() - opSeq;
  assert.deepEqual(stored.snapshot.value, start.snapshot.value);
  for (const beat of beats) take(beat, opSeq + opsPerRound);
  assert.deepEqual(stored.snapshot.value, start.snapshot.value);
  return {
    start,
    beats,
    opsPerRound,
    effects: plans.map(({ effects: [one] }) => Number(one?.key.split('/')[2] ?? -1)),
    timers: plans.map(({ arms, cancels }) => arms.length + cancels.length),
  };
}

/** Instances live them by turns: the first, the second, the first, … */
export function compileLives(name: MachineName, definition: ActorDefinition): readonly Life[] {
  const input = { ...sampleInput, plan: PLANS[name] };
  const publish = [
    answer(7, 'target.published'),
    answer(8, 'proxy.registered', undefined, { isVerified: true }),
    reached,
  ];
  const serve = [...PROVISION, agent('ready'), ...(name === 'published' ? publish : [])];
  return [
    compile(definition, { input, prelude: serve, beats: SERVICE[name] }),
    compile(definition, { input, prelude: [...PROVISION, host('stopped')], beats: RETRY }),
  ];
}

/** Where an instance stands in its life: all that a client must know to send the next event. */
export interface Cursor {
  readonly id: string;
  readonly life: number;
  beat: number;
  version: number;
  opSeq: number;
  /** The version of each beat's last turn. */
  turns: number[];
}

export interface Sending {
  readonly id: string;
  readonly event: ActorEvent;
  readonly completes?: string;
}

export function nextSending(lives: readonly Life[], cursor: Cursor): Sending {
  const { beats, effects } = lives[cursor.life] as Life;
  const { event, op, ends } = beats[cursor.beat] as Beat;
  const opId = op === undefined ? {} : { opId: String(cursor.opSeq + op) };
  return {
    id: cursor.id,
    event: { ...event, ...opId },
    ...(ends !== undefined && {
      completes: `${cursor.id}/${cursor.turns[ends]}/${effects[ends]}`,
    }),
  };
}

export function advance(lives: readonly Life[], cursor: Cursor): void {
  const { beats, opsPerRound } = lives[cursor.life] as Life;
  cursor.version += 1;
  cursor.turns[cursor.beat] = cursor.version;
  cursor.beat += 1;
  if (cursor.beat < beats.length) return;
  cursor.beat = 0;
  cursor.opSeq += opsPerRound;
}
