import { type AnyStateMachine, getNextTransitions, type SnapshotFrom } from 'xstate';
import type { EdgePlan, TargetSpec } from '../../src/machines/instance/edge-types.ts';
import type { instanceMachine } from '../../src/machines/instance/machine.ts';
import { STEP_ATTEMPTS_MAX } from '../../src/machines/instance/setup.ts';
import type { InstanceContext, InstanceInput } from '../../src/machines/instance/types.ts';
import type { Model } from './model.ts';

export interface AnyEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

export type InstanceSnapshot = SnapshotFrom<typeof instanceMachine>;

const dns = { address: '192.0.2.1', service: '_minecraft._tcp', port: 25_565 };
const TARGETS: readonly TargetSpec[] = [
  { kind: 'public_dns', name: 'mc-vanilla-5001.example.com', ...dns },
  { kind: 'internal_dns', name: 'mc-vanilla-5001.example.internal', ...dns },
];

/** So many DNS servers, and Velocity unless it is left out. */
export const samplePlan = (targets: number, hasProxy = true): EdgePlan => ({
  targets: TARGETS.slice(0, targets),
  proxy: hasProxy ? { serverName: 'mc-vanilla-5001', backendPort: 25_565 } : null,
});

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
  },
  plan: { targets: [], proxy: null },
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
  const order = context.entitlement.order + 1;
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
    { type: 'entitlement.suspended', reason: 'payment_due', order, at: 2 },
    { type: 'entitlement.restored', order, at: 2 },
    { type: 'delete.requested', force: false, ...wish },
    { type: 'delete.requested', force: true, ...wish },
    ...hostAnswers,
    ...agentAnswers,
    ...edgeEvents(context),
    ...stale,
    ...sweeps,
    { type: 'address.found', opId: null, ip: '10.0.0.9', at: 2 },
    ...agentSweeps,
    anotherCrash,
    ...timers,
  ];
}

/** What administrators, third parties, the bridge of Velocity and comparisons may say. */
function edgeEvents({ ops, payload }: InstanceContext): AnyEvent[] {
  const wish = { operationId: 'op-3', requestedBy: 'a-1', at: 2 };
  const failed = { type: 'effect.failed', code: 'x', message: 'x', retryable: true, at: 2 };
  const end = { publish: 'target.published', remove: 'target.removed' } as const;
  const { proxy, edge } = payload;
  const calls = Object.values(ops.edge).flatMap(({ id: opId, kind }) => [
    { ...failed, opId },
    { type: end[kind], opId, at: 2 },
  ]);
  const registered = [true, false].map((isVerified) => ({
    type: 'proxy.registered',
    isVerified,
  }));
  const proxyCalls = (ops.proxy ? [failed, ...registered, { type: 'proxy.unregistered' }] : []).map(
    (event) => ({ ...event, opId: ops.proxy?.id, at: 2 }),
  );
  const of = { serverName: proxy?.serverName, port: proxy?.backendPort, at: 2 };
  const about = { ...of, latencyMs: null, detail: null, duplicate: false, reportedAt: null };
  const reports = ['registered_with_proxy', 'proxy_ping_ok', 'proxy_ping_failed'].flatMap(
    (status) =>
      [proxy?.registration?.address, '10.9.9.9'].map((address) => ({
        ...{ type: 'proxy.reported', status, address },
        ...about,
      })),
  );
  const listed = ['registered', 'missing', 'elsewhere'].map((registration) => ({
    ...{ type: 'proxy.observed', registration, address: proxy?.registration?.address },
    ...of,
  }));
  const targets = (edge?.targets ?? []).map(({ spec }) => spec);
  const kept = { targets, proxy: samplePlan(0).proxy };
  return [
    ...calls,
    ...proxyCalls,
    ...reports,
    ...listed,
    ...targets.map(({ kind }) => ({ type: 'target.lost', kind, message: 'x', at: 2 })),
    { type: 'publish.requested', plan: kept, ...wish },
    { type: 'publish.requested', plan: { ...kept, proxy: null }, ...wish },
    { type: 'unpublish.requested', ...wish },
  ];
}

export const isEntitlementEvent = ({ type }: AnyEvent) => type.startsWith('entitlement.');

/** What of edge and proxy decides behaviour. */
function edgeKey({ value, context }: InstanceSnapshot) {
  const { ops, payload, ip, attempts } = context;
  const { edge, proxy } = payload;
  const { registration = null } = proxy ?? {};
  const isIn = (state: unknown, name: string) =>
    typeof state === 'object' && state !== null && name in state;
  return [
    ip === null,
    edge && [edge.isWanted, edge.next && (edge.next.proxy ? 'kept' : 'other')],
    (edge?.targets ?? []).map(({ state }) => state),
    Object.values(ops.edge).map(({ kind }) => kind),
    ops.proxy?.kind ?? null,
    proxy && [registration && registration.address === ip, proxy.failure !== null],
    // Counts begin anew where they decide nothing.
    isIn(value.proxy, 'registering') ? (proxy?.report?.status ?? null) : null,
    isIn(value.edge, 'unpublishing') ? Math.min(attempts.edge, 2) : 0,
    isIn(value.proxy, 'unregistering') ? Math.min(attempts.proxy, 2) : 0,
  ];
}

const isEdgeEvent = ({ type }: AnyEvent) => /^(target|proxy|publish|unpublish)\./.test(type);

/** The whole world of an instance that is not published anywhere. */
export function instanceModel(machine: AnyStateMachine): Model<InstanceSnapshot> {
  return {
    machine,
    input: sampleInput(),
    events: (snapshot) =>
      snapshot.hasTag('archived')
        ? []
        : worldEvents(snapshot).filter(
            (event) => !isEdgeEvent(event) && !isEntitlementEvent(event),
          ),
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

const isOther = ({ plan }: AnyEvent) => (plan as EdgePlan).proxy === null;

/** Of the container: what changes its power and its address, and its end. Answers are honest. */
export function isPlain(event: AnyEvent, { ops: { host, agent } }: InstanceContext): boolean {
  const { type, opId, force, condition, power } = event;
  if (/^(start|stop|restart)\.requested$/.test(type) || force === true) return true;
  if (type === 'address.found' || condition === 'ready') return true;
  if (type === 'effect.failed') return false;
  if (type === 'host.observed' && opId === null) return power === 'stopped';
  if (type === 'host.observed' && power !== 'running') return false;
  return typeof opId === 'string' && (opId === host?.id || opId === agent?.id);
}

/** Whatever third parties answer, and every pause and deadline of edge and proxy. */
function isOfEdge(event: AnyEvent, { ops: { host, agent } }: InstanceContext): boolean {
  if (event.type !== 'effect.failed') {
    return (
      isEdgeEvent(event) ||
      /^xstate\.after.*(instance\.(edge|proxy)\.|Pause|releaseDeadline)/.test(event.type)
    );
  }
  return event['retryable'] === true && event['opId'] !== host?.id && event['opId'] !== agent?.id;
}

/**
 * Whatever edge and proxy can meet, of a container that does as it is told: what it does
 * otherwise is explored without them.
 */
export function edgeModel(machine: AnyStateMachine, plan: EdgePlan): Model<InstanceSnapshot> {
  return {
    machine,
    input: sampleInput({ plan }),
    events: (snapshot) =>
      snapshot.hasTag('archived')
        ? []
        : worldEvents(snapshot).filter(
            (event) =>
              (isPlain(event, snapshot.context) || isOfEdge(event, snapshot.context)) &&
              // Another plan is tried by the random walks: here it would double every state.
              !(event.type === 'publish.requested' && isOther(event)),
          ),
    key: (snapshot) => {
      const { value, context } = snapshot;
      const { ops, debts, hostOperation } = context;
      const owed = debts.map(({ kind }) => kind);
      return JSON.stringify([value, ops.host?.kind, hostOperation?.state, owed, edgeKey(snapshot)]);
    },
  };
}

/** Whatever Proxmox says of a container that is made as it ought to be, paid for or not. */
export function entitlementModel(machine: AnyStateMachine): Model<InstanceSnapshot> {
  return {
    machine,
    input: sampleInput(),
    events: (snapshot) =>
      snapshot.hasTag('archived')
        ? []
        : worldEvents(snapshot).filter(
            (event) =>
              isEntitlementEvent(event) ||
              isPlain(event, snapshot.context) ||
              isOfHost(event, snapshot.context),
          ),
    key: ({ value, context: { ops, hostOperation, entitlement } }) => {
      const { provisioning, host, agent } = value;
      const { kind, state } = hostOperation ?? {};
      const calls = [ops.host?.kind, ops.agent?.kind];
      const { wantsRunning, suspendedAt } = entitlement;
      const wish = value.entitlement === 'granted' ? null : wantsRunning;
      return JSON.stringify([
        ...[provisioning, host, agent, value.entitlement, calls, kind, state],
        ...[wish, suspendedAt === null],
      ]);
    },
  };
}

/** Failed changes of power, what a sweep sees of it, and the deadlines of power. */
function isOfHost(event: AnyEvent, { ops: { host } }: InstanceContext): boolean {
  const { type, opId } = event;
  if (type === 'effect.failed')
    return host !== null && opId === host.id && /start|stop|shutdown/.test(host.kind);
  if (type === 'host.observed') return opId === null || opId === host?.id;
  return /^xstate\.after.*(instance\.(host|entitlement)\.)/.test(type);
}
