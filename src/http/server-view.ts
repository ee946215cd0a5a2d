import { z } from 'zod';

import { describeStatus, type Unseen } from '../machines/instance/status.ts';
import { allowedActionsOf } from '../machines/instance/wishes.ts';
import type { Instance } from '../storage/instances.ts';
import {
  connectionView,
  edgeView,
  proxyView,
  viewConnection,
  viewEdge,
  viewProxy,
} from './edge-view.ts';
import { maintenanceView, viewMaintenance } from './maintenance-view.ts';
import { failedStep } from './operation-view.ts';

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
    error: failedStep.nullable().describe('Why it failed'),
  })
  .meta({ id: 'Operation' });

export const hostOperationView = z
  .object({
    id: z.string(),
    kind: z.enum(['start', 'stop', 'restart']),
    state: z.enum(['running', 'succeeded', 'failed', 'superseded']),
    step: z
      .enum(['start', 'shutdown', 'stop', 'restart'])
      .describe('What it is doing just now, or did last'),
    requestedBy: z.string(),
    acceptedAt: date,
    startedAt: date.nullable().describe('When Proxmox began to work on it'),
    finishedAt: date.nullable(),
    deadline: date,
    error: failedStep.nullable().describe('Why it failed'),
  })
  .meta({ id: 'HostOperation', description: 'A change of power, whoever wanted it' });

export const acceptedView = z
  .object({
    ok: z.boolean().describe('false: the operation has ended, and failed'),
    vmid: z.number().int(),
    hostname: z.string(),
    operation: operationView,
    statusUrl: z.string(),
    result: z.literal('no_change').optional(),
  })
  .meta({ id: 'Accepted' });

export const conditionView = z
  .object({
    type: z.enum([
      ...(['Provisioned', 'HostRunning', 'AgentReady'] as const),
      ...(['EdgePublished', 'ProxyRegistered', 'Entitled', 'Maintenance'] as const),
    ]),
    status: z.enum(['True', 'False', 'Unknown']),
    reason: z.string(),
    message: z.string(),
    lastTransitionTime: date,
    observedAt: date.describe(
      'When this was last found to be so: of HostRunning, when Proxmox was last heard of the ' +
        'container; of AgentReady, when the agent was',
    ),
  })
  .meta({ id: 'Condition' });

const ageMs = z.number().int().nonnegative().nullable();

/** What says how old the rest is. null: never seen. */
const agesView = z
  .object({
    host: ageMs.describe('Since Proxmox was last heard of this container'),
    agent: ageMs.describe('Since the agent last answered'),
    state: ageMs.describe('Since this node was last found to be up to date'),
  })
  .meta({ id: 'Ages', description: 'Milliseconds; null: never' });

const liveView = z
  .object({
    agent: z
      .object({
        condition: z.string().nullable(),
        players: z.number().nullable(),
        uptimeSeconds: z.number().nullable(),
      })
      .nullable(),
    host: z
      .object({
        cpu: z.number().nullable().describe('Share of its cores, 0 to 1'),
        mem: z.number().nullable().describe('Bytes, as maxmem and disk'),
        maxmem: z.number().nullable(),
        disk: z.number().nullable(),
        uptime: z.number().nullable().describe('Seconds'),
      })
      .nullable(),
  })
  .meta({ id: 'LiveNumbers', description: 'Of the last minute; null: unknown' });

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
    powerState: z.enum(['running', 'stopped', 'unknown']),
    hostOperation: hostOperationView.nullable().describe('The latest; it may have ended'),
    maintenance: maintenanceView,
    agentStatus: z.enum(['online', 'offline']),
    installStep: z.string().nullable(),
    crashCount: z.number().int(),
    agentReady: z.boolean().describe('The semantic readiness that the agent itself reported'),
    conditions: z.array(conditionView),
    allowedActions: z.array(z.string()),
    revision: z.number().int().describe('How many steps the instance has made'),
    lastSeen: date.nullable(),
    ages: agesView,
    live: liveView,
  })
  .meta({ id: 'Server' });

export const statusView = serverView
  .extend({
    node: z.string().nullable(),
    readySource: z.string().nullable(),
    ports: z.array(z.number().int()),
    memoryMiB: z.number().int(),
    cpuCores: z.number().int(),
    edge: edgeView.nullable().describe('null: nothing is to be published'),
    proxy: proxyView.nullable().describe('null: it is not reached through Velocity'),
    connection: connectionView.nullable().describe('null: it is no Minecraft server'),
    operation: operationView,
    observedAt: date,
  })
  .meta({ id: 'ServerStatus' });

/** What changes by itself: it is put into each answer, the rest is rendered once a version. */
const moving = { conditions: true, lastSeen: true, ages: true, live: true } as const;
export const stillServerView = serverView.omit(moving);
export const stillStatusView = statusView.omit(moving);
export const stillConditionView = conditionView.omit({ observedAt: true });

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

function viewHostOperation({
  state,
}: Pick<Instance, 'state'>): z.input<typeof hostOperationView> | null {
  const { hostOperation } = describeStatus(state);
  if (!hostOperation) return null;
  const { upid: _, acceptedAt, startedAt, finishedAt, deadline, ...rest } = hostOperation;
  return {
    ...rest,
    acceptedAt: new Date(acceptedAt).toISOString(),
    startedAt: toDate(startedAt),
    finishedAt: toDate(finishedAt),
    deadline: new Date(deadline).toISOString(),
  };
}

export function viewServer(instance: Instance, unseen?: Unseen): z.input<typeof stillServerView> {
  const { vmid, version, state } = instance;
  const { context } = state;
  const { status, hostStatus, powerState, agentStatus, installStep, agentReady } = describeStatus(
    state,
    unseen,
  );
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
    powerState,
    hostOperation: viewHostOperation(instance),
    maintenance: viewMaintenance(instance.state),
    agentStatus,
    installStep,
    crashCount: context.agent.crashCount,
    agentReady,
    allowedActions: [...allowedActionsOf(state)],
    revision: version,
  };
}

/** Without the dates at which they were last found to be so. */
export const viewConditions = (
  { state }: Instance,
  unseen?: Unseen,
): readonly z.input<typeof stillConditionView>[] => describeStatus(state, unseen).conditions;

export function viewStatus(instance: Instance, unseen?: Unseen): z.input<typeof stillStatusView> {
  const { context } = instance.state;
  return {
    ...viewServer(instance, unseen),
    node: context.node,
    readySource: context.agent.readySource,
    ports: [...context.allocatedPorts],
    memoryMiB: context.payload.memoryMiB,
    cpuCores: context.payload.cpuCores,
    edge: viewEdge(instance.state),
    proxy: viewProxy(instance.state),
    connection: viewConnection(instance.state, unseen),
    operation: viewOperation(instance),
    observedAt: instance.updatedAt.toISOString(),
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
