import { type AnyStateNode, getNextTransitions } from 'xstate';

import { createTransition } from '../../src/actors/transition.ts';
import { listCalls } from '../../src/machines/instance/calls.ts';
import { operationsOf } from '../../src/machines/instance/operations.ts';
import type { InstanceSnapshot } from '../support/instance-model.ts';
import { type Exploration, explore, type Model, search } from '../support/model.ts';
import { EDGE_INVARIANTS } from './edge-invariants.ts';
import { isMaintained, MAINTENANCE_INVARIANTS } from './maintenance-invariants.ts';

type Invariant = (snapshot: InstanceSnapshot) => boolean;

const performs = (snapshot: InstanceSnapshot, path: string) => {
  const keys = path.split('.');
  let value: unknown = snapshot.value;
  for (const key of keys.slice(0, -1)) value = (value as Record<string, unknown> | null)?.[key];
  return value === keys.at(-1);
};

/** The states that wait for the answer of a call, by lane and kind of call. */
const HOST_WAITERS: Readonly<Record<string, readonly string[]>> = {
  clone: ['provisioning.cloning.performing', 'provisioning.deleting.settling'],
  configure: ['provisioning.configuring.performing', 'provisioning.deleting.settling'],
  address: ['provisioning.addressing.performing'],
  destroy: ['provisioning.deleting.destroying.performing'],
  start: ['host.starting.performing', 'host.restarting.booting.performing'],
  shutdown: ['host.stopping.shuttingDown.performing'],
  stop: ['host.stopping.halting.performing', 'host.restarting.halting.performing'],
  restart: ['host.restarting.rebooting.performing'],
  observe: ['host.unknown.observing'],
};
const AGENT_WAITERS: Readonly<Record<string, readonly string[]>> = {
  configure: ['provisioning.installing.performing'],
  await: ['provisioning.readying.performing'],
  restart: ['recovery.restarting'],
};
const CALLERS = {
  host: Object.values(HOST_WAITERS)
    .flat()
    .filter((path) => path !== 'provisioning.deleting.settling'),
  agent: Object.values(AGENT_WAITERS).flat(),
};

const callers = (snapshot: InstanceSnapshot, lane: 'host' | 'agent') =>
  CALLERS[lane].filter((path) => performs(snapshot, path));

const activeNodes = (snapshot: InstanceSnapshot) =>
  (snapshot as unknown as { _nodes: AnyStateNode[] })._nodes;

/** What must hold in every state. The names are the invariants of ARCHITECTURE.md. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  'INV-1 host calls never overlap': (s) => callers(s, 'host').length <= 1,
  'INV-2 who performs holds the lane': (s) =>
    (callers(s, 'host').length === 0 || s.context.ops.host !== null) &&
    callers(s, 'agent').length === (s.context.ops.agent === null ? 0 : 1),
  'INV-3 a call in flight has somebody who waits for it': (s) =>
    s.context.ops.host === null ||
    (HOST_WAITERS[s.context.ops.host.kind] ?? []).some((path) => performs(s, path)),
  'INV-4 an agent is ready only in a running container': (s) =>
    s.value.agent === 'offline' || s.value.host === 'running',
  'INV-5 provisioning never keeps a ready agent waiting': (s) =>
    !s.matches({ provisioning: 'readying' }) || s.value.agent !== 'ready',
  'INV-6 deleted means off and gone, or owed': (s) =>
    s.value.provisioning !== 'deleted' ||
    s.value.host === 'absent' ||
    (performs(s, 'host.unknown.abandoned') && s.context.debts.length > 0),
  'INV-7 deleted has nothing in flight': (s) =>
    s.value.provisioning !== 'deleted' || listCalls(s.context.ops).length === 0,
  'INV-8 a failure has a step, a code and a message': (s) =>
    s.value.provisioning !== 'failed' ||
    Object.values(s.context.failure ?? { missing: '' }).every((text) => text !== ''),
  'INV-9 a transient state has a deadline': (s) =>
    activeNodes(s)
      .filter(({ tags }) => tags.includes('transient'))
      .every(({ id }) =>
        getNextTransitions(s).some(
          ({ eventType, source }) =>
            eventType.startsWith('xstate.after.') && `${source.id}.`.startsWith(`${id}.`),
        ),
      ),
  'INV-10 an operation on power is running exactly while the host changes': (s) =>
    (s.context.hostOperation?.state === 'running') === CHANGES.some((state) => is(s, state)),
  'INV-11 an operation that has ended says when, and why if it failed': (s) => {
    const { hostOperation: one } = s.context;
    return (
      !one ||
      ((one.finishedAt === null) === (one.state === 'running') &&
        (one.error !== null) === (one.state === 'failed'))
    );
  },
  'INV-12 a game in service that has died is started again, or given up with a reason': (s) =>
    s.value.agent !== 'crashed' ||
    s.value.provisioning !== 'ready' ||
    s.value.recovery !== 'idle' ||
    s.value.maintenance !== 'idle',
  'INV-13 a game is not started again more often than it may be': (s) =>
    s.context.restartedAt.length <= s.context.restarts.max,
  'INV-32 suspended has a date, and nothing else has': (s) =>
    (s.value.entitlement === 'suspended') === (s.context.entitlement.suspendedAt !== null),
  'INV-33 what is suspended is not left running': (s) =>
    s.value.entitlement !== 'suspended' ||
    s.value.host !== 'running' ||
    isMaintained(s) ||
    !(s.matches({ provisioning: 'ready' }) || s.matches({ provisioning: 'failed' })),
  'INV-34 what is paid for again and ran before is not left stopped': (s) =>
    s.value.entitlement !== 'resuming' ||
    s.value.host !== 'stopped' ||
    !s.matches({ provisioning: 'ready' }),
  ...MAINTENANCE_INVARIANTS,
  ...EDGE_INVARIANTS,
};

const CHANGES = ['starting', 'stopping', 'restarting'] as const;
const is = (snapshot: InstanceSnapshot, host: (typeof CHANGES)[number]) =>
  snapshot.matches({ host });

/** Also when the next one begins in the step in which it ends. */
function keepsRecords({ context: before }: InstanceSnapshot, { context: after }: InstanceSnapshot) {
  const { hostOperation } = before;
  if (hostOperation?.state !== 'running') return true;
  const records = operationsOf(before, after).filter(({ id }) => id === hostOperation.id);
  return after.hostOperation?.id === hostOperation.id || records.some((one) => one.finishedAt);
}

export interface Report {
  readonly states: number;
  readonly transitions: number;
  readonly violations: Readonly<Record<string, readonly string[]>>;
  /** The ids of all states that were entered. */
  readonly visited: ReadonlySet<string>;
}

/** Is there a reachable state that breaks this invariant? Ends with the first. */
export function canBreak(model: Model<InstanceSnapshot>, invariant: string): boolean {
  const holds = INVARIANTS[invariant];
  if (!holds) throw new Error(`no invariant ${invariant}`);
  for (const [{ snapshot }] of search(model)) if (!holds(snapshot)) return true;
  return false;
}

const isGone = (snapshot: InstanceSnapshot) => snapshot.hasTag('archived');

/** Asks each invariant of each reachable state; then liveness and coverage. */
export function checkInstance(
  model: Model<InstanceSnapshot>,
  world: Exploration<InstanceSnapshot> = explore(model),
): Report {
  const violations: Record<string, string[]> = {};
  const report = (name: string, where: string) => {
    violations[name] = [...(violations[name] ?? []), where];
  };

  for (const { key, snapshot, edges } of world.nodes.values()) {
    for (const { event, to } of edges) {
      const after = world.nodes.get(to)?.snapshot;
      const isNewlyReady =
        after?.value.provisioning === 'ready' && snapshot.value.provisioning !== 'ready';
      // What is not paid for is stopped in the same step.
      const isKept = after?.value.entitlement !== 'suspended';
      if (isNewlyReady && isKept && after.value.agent !== 'ready') {
        report('ready is entered only with a ready agent', `${key} ${event.type}`);
      }
      if (after && !keepsRecords(snapshot, after)) {
        report('an operation that began leaves the record of its end', `${key} ${event.type}`);
      }
    }
    for (const [name, holds] of Object.entries(INVARIANTS)) if (!holds(snapshot)) report(name, key);
  }
  const deletable = world.reaching(isGone);
  for (const key of world.nodes.keys()) {
    if (!deletable.has(key)) report('deleted can be reached from every state', key);
  }
  for (const key of undeletable(model, world)) {
    report('a forced delete and honest answers reach deleted', key);
  }
  const visited = new Set<string>();
  for (const { snapshot } of world.nodes.values()) {
    for (const { id } of activeNodes(snapshot)) visited.add(id);
  }
  return { states: world.nodes.size, transitions: world.transitions, violations, visited };
}

/** From where a forced delete and honest answers do not lead to the end. */
function* undeletable(
  { machine, key }: Model<InstanceSnapshot>,
  { nodes }: Exploration<InstanceSnapshot>,
): Generator<string> {
  const step = createTransition(machine);
  // Most deletions soon come to where another one has been, and alike goes on alike.
  const roundsFrom = new Map<string, number>();
  for (const { key: where, snapshot } of nodes.values()) {
    if (isGone(snapshot)) continue;
    const passed: string[] = [];
    let left: number | undefined;
    for (const now of deletion(step, snapshot)) {
      const at = key(now);
      left = isGone(now) ? 0 : roundsFrom.get(at);
      if (left !== undefined) break;
      passed.push(at);
    }
    const rounds = passed.length + (left ?? Number.POSITIVE_INFINITY);
    if (rounds > ROUNDS_MAX) yield where;
    else for (const [index, at] of passed.entries()) roundsFrom.set(at, rounds - index);
  }
}

export function stateIds(node: AnyStateNode): string[] {
  return [node.id, ...Object.values(node.states).flatMap(stateIds)];
}

const EDGE_ENDS: Readonly<Record<string, string>> = {
  publish: 'target.published',
  remove: 'target.removed',
  register: 'proxy.registered',
  unregister: 'proxy.unregistered',
};

type StepOf = ReturnType<typeof createTransition>;

/** So many answers to the host suffice from anywhere. */
const ROUNDS_MAX = 12;

/** What a forced delete leads to: after the wish, and after each round of answers. */
function* deletion(step: StepOf, from: InstanceSnapshot): Generator<InstanceSnapshot> {
  const wish = { type: 'delete.requested', force: true, operationId: 'o', requestedBy: 'c', at: 3 };
  const ends: Record<string, string> = {
    clone: 'container.cloned',
    configure: 'container.configured',
    start: 'container.started',
    shutdown: 'container.stopped',
    stop: 'container.stopped',
    restart: 'container.restarted',
    destroy: 'container.destroyed',
    address: 'address.found',
  };
  const send = (snapshot: InstanceSnapshot, event: object) =>
    step(snapshot as never, event as never)[0] as unknown as InstanceSnapshot;
  let snapshot = send(from, wish);
  yield snapshot;
  for (let round = 0; round < ROUNDS_MAX && !isGone(snapshot); round += 1) {
    const op = snapshot.context.ops.host;
    const type = op?.kind === 'observe' ? 'host.observed' : ends[op?.kind ?? ''];
    snapshot = send(snapshot, {
      type: type ?? 'nothing',
      opId: op?.id,
      power: 'running',
      node: 'pve1',
      ip: '10.0.0.5',
      lock: null,
      at: 3,
    });
    for (const { lane, op: call } of listCalls(snapshot.context.ops)) {
      if (lane === 'host' || lane === 'agent') continue;
      const type = EDGE_ENDS[call.kind];
      snapshot = send(snapshot, { type, opId: call.id, isVerified: true, at: 3 });
    }
    for (const { eventType } of getNextTransitions(snapshot)) {
      if (/Pause\./.test(eventType)) snapshot = send(snapshot, { type: eventType, at: 3 });
    }
    yield snapshot;
  }
}

/** Only successful answers to what is asked, and pauses that pass: no failure, no deadline. */
export function deleteInACooperativeWorld(step: StepOf, from: InstanceSnapshot): InstanceSnapshot {
  return [...deletion(step, from)].at(-1) ?? from;
}
