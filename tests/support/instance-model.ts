import { type AnyStateMachine, getNextTransitions, type SnapshotFrom } from 'xstate';
import type { instanceMachine } from '../../src/machines/instance/machine.ts';
import { STEP_ATTEMPTS_MAX } from '../../src/machines/instance/setup.ts';
import type { InstanceContext, InstanceInput } from '../../src/machines/instance/types.ts';
import type { Model } from './model.ts';

interface AnyEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export type InstanceSnapshot = SnapshotFrom<typeof instanceMachine>;

export const sampleInput = (overrides: Partial<InstanceInput> = {}): InstanceInput => ({
  id: '5001-aaaa0001',
  vmid: 5001,
  customerId: 'c-1',
  ctype: 'game',
  hostname: 'mc-vanilla-5001',
  engineType: 'minecraft',
  allocatedPorts: [25565],
  payload: {
    game: 'minecraft',
    variant: 'vanilla',
    runtime: null,
    version: '1.20.4',
    world: null,
    memoryMiB: 2048,
    cpuCores: 2,
    edge: null,
    proxy: null,
  },
  readyDeadlineMs: 600_000,
  restarts: { max: 1, windowMs: 600_000 },
  operation: { id: 'op-1', requestedBy: 'c-1' },
  at: 1,
  ...overrides,
});

/** What can happen in a state: wishes, answers to the calls in flight, stale ones, sweeps, timers. */
export function worldEvents(snapshot: InstanceSnapshot): readonly AnyEvent[] {
  const context: InstanceContext = snapshot.context;
  const wish = { operationId: 'op-2', requestedBy: 'c-1', at: 2 };
  const answers = (opId: string) => [
    { type: 'effect.failed', opId, code: 'x', message: 'x', retryable: true, at: 2 },
    { type: 'effect.failed', opId, code: 'x', message: 'x', retryable: false, at: 2 },
    {
      type: 'effect.failed',
      opId,
      code: 'container_missing',
      message: 'x',
      retryable: false,
      at: 2,
    },
  ];
  const host = context.ops.host;
  const agent = context.ops.agent;
  const done: Record<string, readonly AnyEvent[]> = {
    clone: [{ type: 'container.cloned', node: 'pve1' }],
    configure: [{ type: 'container.configured' }],
    start: [{ type: 'container.started' }],
    shutdown: [{ type: 'container.stopped' }],
    stop: [{ type: 'container.stopped' }],
    restart: [{ type: 'container.restarted' }],
    destroy: [{ type: 'container.destroyed' }],
    address: [{ type: 'address.found', ip: '10.0.0.5' }],
    observe: ['running', 'stopped', 'absent'].map((power) => ({
      type: 'host.observed',
      power,
      node: 'pve1',
      lock: null,
    })),
  };
  const hostAnswers = host
    ? [
        ...(done[host.kind] ?? []).map((e) => ({ ...e, opId: host.id, at: 2 })),
        { type: 'task.started', opId: host.id, upid: 'UPID:x', at: 2 },
        ...answers(host.id),
      ]
    : [];
  const agentAnswers = agent
    ? [
        ...answers(agent.id),
        {
          type: agent.kind === 'restart' ? 'agent.restarted' : 'agent.configured',
          opId: agent.id,
          at: 2,
        },
      ]
    : [];
  const stale = Object.values(done)
    .flat()
    .map((e) => ({ ...e, opId: 'stale', at: 2 }));
  const sweeps = ['running', 'stopped', 'absent', 'unknown'].map((power) => ({
    type: 'host.observed',
    power,
    node: 'pve1',
    lock: null,
    opId: null,
    at: 2,
  }));
  const agentSweeps = ['unreachable', 'alive', 'ready', 'crashed'].map((condition) => ({
    type: 'agent.observed',
    condition,
    readySource: null,
    installStep: null,
    state: null,
    crashCount: null,
    at: 2,
  }));
  const anotherCrash = {
    ...agentSweeps[3],
    type: 'agent.observed',
    crashCount: (context.agent.reportedCrashes ?? 0) + 1,
  };
  const timers = getNextTransitions(snapshot)
    .map(({ eventType }) => eventType)
    .filter((type) => type.startsWith('xstate.after.'))
    .map((type) => ({ type, at: 2 }));
  return [
    { type: 'start.requested', ...wish },
    { type: 'stop.requested', ...wish },
    { type: 'restart.requested', ...wish },
    { type: 'retry.requested', ...wish },
    { type: 'delete.requested', force: false, ...wish },
    { type: 'delete.requested', force: true, ...wish },
    ...hostAnswers,
    ...agentAnswers,
    ...stale,
    ...sweeps,
    { type: 'address.found', opId: null, ip: '10.0.0.9', at: 2 },
    ...agentSweeps,
    anotherCrash,
    ...timers,
  ];
}

export function instanceModel(machine: AnyStateMachine): Model<InstanceSnapshot> {
  return {
    machine,
    input: sampleInput(),
    events: (snapshot) => (snapshot.hasTag('archived') ? [] : worldEvents(snapshot)),
    key: (snapshot) => {
      const { value, context } = snapshot;
      return JSON.stringify([
        value,
        context.ops.host?.kind ?? null,
        context.ops.agent?.kind ?? null,
        // A step resets its count when it is entered, so outside a step the count decides nothing.
        typeof value.provisioning === 'object'
          ? Math.min(context.attempts.provisioning, STEP_ATTEMPTS_MAX)
          : 0,
        context.hostOperation?.state ?? null,
        context.restartedAt.length,
        context.failure?.step ?? null,
        context.operation.state,
        context.debts.length,
      ]);
    },
  };
}
