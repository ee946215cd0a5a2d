import type { HostOperation, InstanceContext, Operation } from './types.ts';

/** A state at rest as the runtime stores it: `since` is when each region last changed, Unix ms. */
export interface InstanceState {
  readonly value: Readonly<Record<string, unknown>>;
  readonly context: InstanceContext;
  readonly since: Readonly<Record<string, number>>;
}

export interface Condition {
  readonly type: 'Provisioned' | 'HostRunning' | 'AgentReady';
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly lastTransitionTime: string;
}

type HostStatus = 'unknown' | 'stopped' | 'starting' | 'running' | 'stopping' | 'restarting';

export interface InstanceStatus {
  /** One word for people; the conditions say more. */
  readonly status: string;
  readonly hostStatus: HostStatus;
  /** Is it on, as far as Proxmox is concerned? */
  readonly powerState: 'running' | 'stopped' | 'unknown';
  /** The latest change of power; it may have ended. */
  readonly hostOperation: HostOperation | null;
  readonly agentStatus: 'online' | 'offline';
  readonly agentReady: boolean;
  /** What provisioning is doing: its step, or the agent's own word while it installs. */
  readonly installStep: string | null;
  readonly conditions: readonly Condition[];
  readonly operation: Operation & { readonly step: string | null };
}

const nameOf = (value: unknown): string =>
  typeof value === 'string' ? value : (Object.keys(value as object)[0] ?? '');

/** What everybody outside sees of an instance: derived from its state, never stored. */
export function describeStatus({ value, context, since }: InstanceState): InstanceStatus {
  const provisioning = nameOf(value['provisioning']);
  const host = nameOf(value['host']);
  const agent = nameOf(value['agent']);
  const recovery = nameOf(value['recovery']);
  const step = STEPS.has(provisioning) ? provisioning : null;
  return {
    status: wordFor(provisioning, host, agent),
    hostStatus: (host === 'absent' ? 'unknown' : host) as HostStatus,
    powerState: POWER[host] ?? 'unknown',
    hostOperation: context.hostOperation,
    agentStatus:
      agent === 'alive' || agent === 'ready' || agent === 'crashed' ? 'online' : 'offline',
    agentReady: agent === 'ready',
    installStep: step && (context.agent.installStep ?? step),
    conditions: conditionsOf({ provisioning, host, agent, recovery }, context, since),
    operation: { ...context.operation, step },
  };
}

const POWER: Readonly<Record<string, 'running' | 'stopped'>> = {
  stopped: 'stopped',
  starting: 'stopped',
  running: 'running',
  stopping: 'running',
  restarting: 'running',
};

/** The states in which provisioning or deletion is on its way. */
const STEPS: ReadonlySet<string> = new Set([
  'cloning',
  'configuring',
  'booting',
  'addressing',
  'installing',
  'readying',
  'deleting',
]);

function wordFor(provisioning: string, host: string, agent: string): string {
  if (provisioning === 'deleting' || provisioning === 'deleted') return provisioning;
  if (provisioning === 'failed') return 'error';
  if (provisioning !== 'ready') return 'installing';
  if (host !== 'running') return host === 'absent' ? 'host offline' : host;
  return (
    { ready: 'running', alive: 'starting', crashed: 'crashed', unreachable: 'offline' }[agent] ??
    'unknown'
  );
}

/** Why the host is what it is: our own failure first, then what changed without us. */
function hostReason(
  host: string,
  { hostFailure, sighting: { lock, drift } }: InstanceContext,
): [reason: string, message: string] {
  if (host === 'unknown' && hostFailure) return [hostFailure.code, hostFailure.message];
  const locked = lock === null ? '' : `, and locked by Proxmox: ${lock}`;
  if (drift) return [drift.code, `the container is ${host}: ${drift.message}${locked}`];
  return [lock === null ? host : `locked_${lock}`, `the container is ${host}${locked}`];
}

function agentMessage(
  agent: string,
  recovery: string,
  { agent: { readySource, crashCount }, restarts, restartedAt }: InstanceContext,
): string {
  if (agent === 'ready' && readySource) return `ready by ${readySource}`;
  if (agent !== 'crashed') return `the agent is ${agent}`;
  const times = `${restartedAt.length} of ${restarts.max} restarts in ${restarts.windowMs / 1000} s`;
  return recovery === 'exhausted'
    ? `the game has died ${crashCount} times, and ${times} did not help: start it yourself`
    : `the game has died and is started again: ${times}`;
}

interface Regions {
  readonly provisioning: string;
  readonly host: string;
  readonly agent: string;
  readonly recovery: string;
}

function conditionsOf(
  { provisioning, host, agent, recovery }: Regions,
  context: InstanceContext,
  since: Readonly<Record<string, number>>,
): Condition[] {
  const { failure } = context;
  const condition = (
    type: Condition['type'],
    status: Condition['status'],
    reason: string,
    message: string,
    region: keyof Regions,
  ) => ({
    type,
    status,
    reason,
    message,
    lastTransitionTime: new Date(since[region] ?? 0).toISOString(),
  });
  const truth = (is: boolean, isUnknown: boolean) =>
    is ? 'True' : isUnknown ? 'Unknown' : 'False';
  return [
    condition(
      'Provisioned',
      truth(provisioning === 'ready', false),
      provisioning === 'failed' ? (failure?.code ?? 'failed') : provisioning,
      provisioning === 'failed'
        ? `${failure?.step}: ${failure?.message}`
        : `provisioning is ${provisioning}`,
      'provisioning',
    ),
    condition(
      'HostRunning',
      truth(host === 'running', host === 'unknown'),
      ...hostReason(host, context),
      'host',
    ),
    condition(
      'AgentReady',
      truth(agent === 'ready', agent === 'unknown' || agent === 'unreachable'),
      agent === 'crashed' && recovery === 'exhausted' ? 'restart_budget_spent' : agent,
      agentMessage(agent, recovery, context),
      'agent',
    ),
  ];
}
