import { instanceSetup, POWER_OPS } from './setup.ts';
import type {
  AgentOpKind,
  Attempting,
  Effect,
  EffectKind,
  HostOpKind,
  InstanceContext,
  InstanceEvent,
  Setback,
} from './types.ts';

/** The building blocks of a step: begin a call, repeat it, give it up, account for it. */

type Region = 'provisioning' | 'host';
type EffectOf<Kind extends EffectKind> = Extract<Effect, { kind: Kind }>;
type Fields<Kind extends EffectKind> = Omit<EffectOf<Kind>, 'kind' | 'opId' | 'vmid' | 'id'>;

/** Unix ms. The runtime stamps every event, also the timers that it delivers. */
export const atOf = (event: { type: string }): number => (event as { at?: number }).at ?? 0;

/** Where the container ought to be: Proxmox's own list of it lags behind. */
export const at = ({ node }: InstanceContext) => ({ node });

export const opOf = <Kind extends string>(
  context: InstanceContext,
  kind: Kind,
  event: InstanceEvent,
) => ({
  id: String(context.opSeq + 1),
  kind,
  since: atOf(event),
  upid: null,
});

export const oneMoreAttempt = (region: Attempting, { attempts }: InstanceContext) => ({
  ...attempts,
  [region]: attempts[region] + 1,
});

export const takeHostLane = (region: Region, op: HostOpKind) =>
  instanceSetup.assign({
    opSeq: ({ context }) => context.opSeq + 1,
    ops: ({ context, event }) => ({ ...context.ops, host: opOf(context, op, event) }),
    attempts: ({ context }) => oneMoreAttempt(region, context),
  });

/** Takes the host lane and asks a worker to make the call. */
export const beginHostOp = <Kind extends EffectKind>(
  region: Region,
  op: HostOpKind,
  kind: Kind,
  fields: (context: InstanceContext) => Fields<Kind>,
) => [takeHostLane(region, op), effect('host', kind, fields)] as const;

/** Who makes the call, and what is known of the calls before it. */
export const powerCall = ({ id, vmid, node, ops, tasks }: InstanceContext) => ({
  opId: ops.host?.id ?? '',
  vmid,
  id,
  node,
  known: tasks,
});

/** The same for the agent. */
export const beginAgentOp = <Kind extends EffectKind>(
  op: AgentOpKind,
  kind: Kind,
  fields: (context: InstanceContext) => Fields<Kind>,
) =>
  [
    instanceSetup.assign({
      opSeq: ({ context }) => context.opSeq + 1,
      ops: ({ context, event }) => ({ ...context.ops, agent: opOf(context, op, event) }),
      attempts: ({ context }) =>
        op === 'restart' ? context.attempts : oneMoreAttempt('provisioning', context),
    }),
    effect('agent', kind, fields),
  ] as const;

export function effect<Kind extends EffectKind>(
  lane: 'host' | 'agent' | 'proxy',
  kind: Kind,
  fields: (context: InstanceContext) => Fields<Kind>,
) {
  return {
    type: 'effect',
    params: ({ context }: { context: InstanceContext }) => ({
      effect: {
        kind,
        opId: context.ops[lane]?.id ?? '',
        vmid: context.vmid,
        id: context.id,
        ...fields(context),
      } as unknown as Effect,
    }),
  } as const;
}

/** Frees both lanes: results that still come are of a superseded call and change nothing. */
export const releaseLanes = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, host: null, agent: null }),
});

export const releaseHostLane = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, host: null }),
});

export const releaseAgentLane = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, agent: null }),
});

export const resetAttempts = (region: Attempting) =>
  instanceSetup.assign({
    attempts: ({ context }) => ({ ...context.attempts, [region]: 0 }),
    setbacks: ({ context: { setbacks } }) =>
      region === 'host' || region === 'provisioning' ? { ...setbacks, [region]: null } : setbacks,
  });

/** Tasks that could still be mistaken for those of a later call. */
const TASKS_MAX = 6;

/** Keeps the Proxmox task of the call in flight, so that a successor attaches to it. */
export const rememberTask = instanceSetup.assign({
  ops: ({ context, event }) =>
    event.type === 'task.started' && context.ops.host
      ? { ...context.ops, host: { ...context.ops.host, upid: event.upid } }
      : context.ops,
  tasks: ({ context: { tasks }, event }) =>
    event.type === 'task.started' && !tasks.includes(event.upid)
      ? [...tasks, event.upid].slice(-TASKS_MAX)
      : tasks,
  hostOperation: ({ context: { hostOperation, ops }, event }) =>
    event.type === 'task.started' && hostOperation && isPowerStep(ops.host?.kind)
      ? { ...hostOperation, upid: event.upid, startedAt: hostOperation.startedAt ?? event.at }
      : hostOperation,
});

const isPowerStep = (kind: string | undefined) => POWER_OPS.includes(kind ?? '');

/** Keeps why a call is repeated: at the deadline it is all that is known of the reason. */
export const noteSetback = (region: Region) =>
  instanceSetup.assign({
    setbacks: ({ context, event }) =>
      event.type === 'effect.failed'
        ? { ...context.setbacks, [region]: { code: event.code, message: event.message } }
        : context.setbacks,
  });

export function failureOf(step: string, event: InstanceEvent, setback: Setback | null = null) {
  if (event.type === 'effect.failed') return { step, code: event.code, message: event.message };
  const last = setback === null ? '' : `: ${setback.message} (${setback.code})`;
  return { step, code: 'deadline_exceeded', message: `${step} took longer than it may${last}` };
}

/** Ends a provisioning step and the operation it belongs to, with the reason. */
export const failProvisioning = (step: string) =>
  instanceSetup.assign({
    failure: ({ context, event }) => failureOf(step, event, context.setbacks.provisioning),
    ops: ({ context }) => ({ ...context.ops, host: null, agent: null }),
    operation: ({ context, event }) => finished(context, 'failed', event),
  });

/** Provisioning fails because power did: the host region knows why. */
export const failProvisioningByHost = (step: string) =>
  instanceSetup.assign({
    failure: ({ context }) =>
      context.hostFailure
        ? { ...context.hostFailure, step }
        : { step, code: 'container_stopped', message: 'the container is not running any more' },
    ops: ({ context }) => ({ ...context.ops, agent: null }),
    operation: ({ context, event }) => finished(context, 'failed', event),
  });

export const succeed = instanceSetup.assign({
  ops: ({ context }) => ({ ...context.ops, agent: null }),
  operation: ({ context, event }) => finished(context, 'succeeded', event),
});

const finished = (
  { operation }: InstanceContext,
  state: 'succeeded' | 'failed',
  event: InstanceEvent,
) => (operation.state === 'running' ? { ...operation, state, finishedAt: atOf(event) } : operation);

/** A wish becomes the operation that its sender can follow. What ran before is superseded. */
export const acceptWish = (kind: 'retry' | 'delete') =>
  instanceSetup.assign({
    operation: ({ context, event }) =>
      event.type === 'retry.requested' || event.type === 'delete.requested'
        ? {
            id: event.operationId,
            kind,
            state: 'running',
            requestedBy: event.requestedBy,
            acceptedAt: event.at,
            finishedAt: null,
          }
        : context.operation,
  });

/** What we leave behind in the world is written down, never forgotten. */
export const oweContainer = instanceSetup.assign({
  debts: ({ context, event }) => {
    const { code, message } = failureOf('destroy', event, context.setbacks.provisioning);
    return [...context.debts, { kind: 'container', code, message, subject: null } as const];
  },
});
