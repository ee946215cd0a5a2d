import { z } from 'zod';

import { describeStatus } from '../machines/instance/status.ts';
import type { Instance } from '../storage/instances.ts';

/** What clients see of an instance. `z.input` of these schemas is what the routes answer. */

const date = z.iso.datetime();

export const operationView = z
  .object({
    id: z.string(),
    kind: z.enum(['create', 'retry', 'delete']),
    state: z.enum(['running', 'succeeded', 'failed', 'superseded']),
    step: z.string().nullable().describe('What it is doing just now'),
    requestedBy: z.string(),
    acceptedAt: date,
    finishedAt: date.nullable(),
    error: z
      .object({ step: z.string(), code: z.string(), message: z.string() })
      .nullable()
      .describe('Why it failed'),
  })
  .meta({ id: 'Operation' });

export const acceptedView = z
  .object({
    ok: z.literal(true),
    vmid: z.number().int(),
    hostname: z.string(),
    operation: operationView,
    statusUrl: z.string(),
    result: z.literal('no_change').optional(),
  })
  .meta({ id: 'Accepted' });

export const conditionView = z
  .object({
    type: z.enum(['Provisioned', 'HostRunning', 'AgentReady']),
    status: z.enum(['True', 'False', 'Unknown']),
    reason: z.string(),
    message: z.string(),
    lastTransitionTime: date,
    observedAt: date.describe('When this was last found to be so'),
  })
  .meta({ id: 'Condition' });

export const serverView = z
  .object({
    id: z.string().describe('The VMID, as a string'),
    name: z.string(),
    category: z.enum(['GAME', 'DEV']),
    runtime: z.string().nullable().describe('The game, or the runtime of a dev container'),
    flavor: z.string().nullable().describe('The variant of the game'),
    version: z.string(),
    ip: z.string().nullable(),
    status: z.string(),
    hostStatus: z.string(),
    agentStatus: z.enum(['online', 'offline']),
    installStep: z.string().nullable(),
    crashCount: z.number().int(),
    lastSeen: date.nullable(),
  })
  .meta({ id: 'Server' });

export const statusView = serverView
  .extend({
    node: z.string().nullable(),
    agentReady: z.boolean().describe('The semantic readiness that the agent itself reported'),
    readySource: z.string().nullable(),
    ports: z.array(z.number().int()),
    memoryMiB: z.number().int(),
    cpuCores: z.number().int(),
    edge: z.record(z.string(), z.unknown()).nullable(),
    proxy: z.record(z.string(), z.unknown()).nullable(),
    conditions: z.array(conditionView),
    operation: operationView,
    allowedActions: z.array(z.string()),
    revision: z.number().int().describe('How many steps the instance has made'),
    observedAt: date,
  })
  .meta({ id: 'ServerStatus' });

export const instanceRow = z
  .object({
    vmid: z.number().int(),
    customerId: z.string(),
    ctype: z.enum(['game', 'dev']),
    hostname: z.string(),
    ip: z.string().nullable(),
    node: z.string().nullable(),
    status: z.string(),
    createdAt: date,
  })
  .meta({ id: 'InstanceRow' });

const toDate = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

export const statusUrlOf = (vmid: number): string => `/api/servers/${vmid}/status`;

export function viewOperation({ state }: Pick<Instance, 'state'>): z.input<typeof operationView> {
  const { operation } = describeStatus(state);
  return {
    ...operation,
    acceptedAt: new Date(operation.acceptedAt).toISOString(),
    finishedAt: toDate(operation.finishedAt),
    error: operation.state === 'failed' ? state.context.failure : null,
  };
}

export function viewServer({ vmid, state }: Instance): z.input<typeof serverView> {
  const { context } = state;
  const { status, hostStatus, agentStatus, installStep } = describeStatus(state);
  return {
    id: String(vmid),
    name: context.hostname,
    category: context.ctype === 'game' ? 'GAME' : 'DEV',
    runtime: context.payload.game ?? context.payload.runtime,
    flavor: context.payload.variant,
    version: context.payload.version,
    ip: context.ip,
    status,
    hostStatus,
    agentStatus,
    installStep,
    crashCount: context.agent.crashCount,
    lastSeen: toDate(context.agent.lastSeenAt),
  };
}

export function viewStatus(
  instance: Instance,
  allowedActions: readonly string[],
): z.input<typeof statusView> {
  const { context } = instance.state;
  const { conditions, agentReady } = describeStatus(instance.state);
  const observedAt = instance.updatedAt.toISOString();
  return {
    ...viewServer(instance),
    node: context.node,
    agentReady,
    readySource: context.agent.readySource,
    ports: [...context.allocatedPorts],
    memoryMiB: context.payload.memoryMiB,
    cpuCores: context.payload.cpuCores,
    edge: context.payload.edge,
    proxy: context.payload.proxy,
    conditions: conditions.map((condition) => ({ ...condition, observedAt })),
    operation: viewOperation(instance),
    allowedActions: [...allowedActions],
    revision: instance.version,
    observedAt,
  };
}

export function viewInstance({ vmid, state, createdAt }: Instance): z.input<typeof instanceRow> {
  const { customerId, ctype, hostname, ip, node } = state.context;
  const { status } = describeStatus(state);
  return {
    vmid,
    customerId,
    ctype,
    hostname,
    ip,
    node,
    status,
    createdAt: createdAt.toISOString(),
  };
}
