import type { HostOperation, InstanceContext, Operation } from './types.ts';

/** A state at rest as the runtime stores it: `since` is when each region last changed, Unix ms. */
export interface InstanceState {
  readonly value: Readonly<Record<string, unknown>>;
  readonly context: InstanceContext;
  readonly since: Readonly<Record<string, number>>;
}

export interface Condition {
  readonly type:
    | 'Provisioned'
    | 'HostRunning'
    | 'AgentReady'
    | 'EdgePublished'
    | 'ProxyRegistered'
    | 'Entitled'
    | 'Maintenance';
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

/** In place of a state. */
const UNSEEN = 'not_observed';

export const nameOf = (value: unknown): string =>
  typeof value === 'string' ? value : (Object.keys(value as object)[0] ?? '');

/** Whom nobody has been able to look at for too long: what was true then may not be any more. */
export interface Unseen {
  readonly host: boolean;
  readonly agent: boolean;
}

export const SEEN: Unseen = { host: false, agent: false };

/** The states that only a look can tell; the others are of our own making. */
const TOLD_BY_LOOKS = {
  host: new Set(['running', 'stopped', 'absent']),
  agent: new Set(['ready', 'alive', 'crashed', 'unreachable']),
} as const;

/** What everybody outside sees of an instance: derived from its state, never stored. */
export function describeStatus(
  { value, context, since }: InstanceState,
  unseen: Unseen = SEEN,
): InstanceStatus {
  const provisioning = nameOf(value['provisioning']);
  const see = (region: 'host' | 'agent') => {
    const state = nameOf(value[region]);
    return unseen[region] && TOLD_BY_LOOKS[region].has(state) ? UNSEEN : state;
  };
  const [host, agent] = [see('host'), see('agent')];
  const recovery = nameOf(value['recovery']);
  const step = STEPS.has(provisioning) ? provisioning : null;
  return {
    status: wordFor(provisioning, host, agent, context.agent.state),
    hostStatus: (host === 'absent' || host === UNSEEN ? 'unknown' : host) as HostStatus,
    powerState: POWER[host] ?? 'unknown',
    hostOperation: context.hostOperation,
    agentStatus:
      agent === 'alive' || agent === 'ready' || agent === 'crashed' ? 'online' : 'offline',
    agentReady: agent === 'ready',
    installStep: step && (context.agent.installStep ?? step),
    conditions: [
      ...conditionsOf({ provisioning, host, agent, recovery }, context, since),
      ...edgeConditions(value, context, since),
      entitlementCondition(value, context, since),
      ...maintenanceConditions(value, context, since),
    ],
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

/** What the agent says of a game that is not ready, as clients know it. */
const AGENT_WORDS: Readonly<Record<string, string>> = {
  idle: 'idle',
  installing: 'installing',
  stopping: 'stopping',
  stopped: 'stopped',
  error: 'error',
};

function wordFor(provisioning: string, host: string, agent: string, state: string | null): string {
  if (provisioning === 'deleting' || provisioning === 'deleted') return provisioning;
  if (provisioning === 'failed') return 'error';
  if (provisioning !== 'ready') return 'installing';
  if (host === UNSEEN || agent === UNSEEN) return 'unknown';
  if (host !== 'running') return host === 'absent' ? 'host offline' : host;
  if (agent === 'alive') return AGENT_WORDS[state ?? ''] ?? 'starting';
  return { ready: 'running', crashed: 'crashed', unreachable: 'offline' }[agent] ?? 'unknown';
}

/** Why the host is what it is: our own failure first, then what changed without us. */
function hostReason(
  host: string,
  { hostFailure, sighting: { lock, drift } }: InstanceContext,
): [reason: string, message: string] {
  if (host === UNSEEN) return [UNSEEN, 'nobody could ask Proxmox about the container of late'];
  if (host === 'unknown' && hostFailure) return [hostFailure.code, hostFailure.message];
  const locked = lock === null ? '' : `, and locked by Proxmox: ${lock}`;
  if (drift) return [drift.code, `the container is ${host}: ${drift.message}${locked}`];
  return [lock === null ? host : `locked_${lock}`, `the container is ${host}${locked}`];
}

function agentReason(agent: string, recovery: string, state: string | null): string {
  if (agent === 'crashed' && recovery === 'exhausted') return 'restart_budget_spent';
  return agent === 'alive' && state !== null ? `game_${state}` : agent;
}

function agentMessage(
  agent: string,
  recovery: string,
  { agent: { readySource, crashCount, state }, restarts, restartedAt }: InstanceContext,
): string {
  if (agent === UNSEEN) return 'nobody could ask the agent of late';
  if (agent === 'ready' && readySource) return `ready by ${readySource}`;
  if (agent === 'alive' && state !== null) return `the agent says that the game is ${state}`;
  if (agent !== 'crashed') return `the agent is ${agent}`;
  const times = `${restartedAt.length} of ${restarts.max} restarts in ${restarts.windowMs / 1000} s`;
  return recovery === 'exhausted'
    ? `the game has died ${crashCount} times, and ${times} did not help: start it yourself`
    : `the game has died and is started again: ${times}`;
}

const REGISTERED: ReadonlySet<string> = new Set(['registered', 'ping_ok', 'ping_failed']);

/** None of them where nothing is to be published. */
function edgeConditions(
  value: InstanceState['value'],
  { payload: { edge, proxy } }: InstanceContext,
  since: Readonly<Record<string, number>>,
): Condition[] {
  if (!edge && !proxy) return [];
  const [edgeName, proxyName] = [nameOf(value['edge']), nameOf(value['proxy'])];
  const dated = (region: string) => new Date(since[region] ?? 0).toISOString();
  const failed = edge?.targets.filter(({ failure }) => failure !== null) ?? [];
  const lacking = failed.map(({ spec, failure }) => `${spec.kind}: ${failure?.code}`).join(', ');
  const published: Condition | null = edge && {
    type: 'EdgePublished',
    status: edgeName === 'published' ? 'True' : 'False',
    reason: edgeName,
    message: lacking === '' ? `it is ${edgeName} outside` : `${edgeName} outside: ${lacking}`,
    lastTransitionTime: dated('edge'),
  };
  const isRegistered = REGISTERED.has(proxyName);
  const registered: Condition | null = proxy && {
    type: 'ProxyRegistered',
    status: isRegistered ? 'True' : proxyName === 'unverifiable' ? 'Unknown' : 'False',
    reason: proxyName,
    message: proxy.failure?.message ?? `at Velocity it is ${proxyName}`,
    lastTransitionTime: dated('proxy'),
  };
  return [published, registered].filter((one) => one !== null);
}

function entitlementCondition(
  value: InstanceState['value'],
  { entitlement: { suspendedAt, reason } }: InstanceContext,
  since: Readonly<Record<string, number>>,
): Condition {
  const isSuspended = suspendedAt !== null;
  return {
    type: 'Entitled',
    status: isSuspended ? 'False' : 'True',
    reason: isSuspended ? (reason ?? 'suspended') : nameOf(value['entitlement']),
    message: isSuspended
      ? 'it is stopped and kept: a payment of its owner is due'
      : 'its owner may use it',
    lastTransitionTime: new Date(since['entitlement'] ?? 0).toISOString(),
  };
}

const MAINTENANCE: Readonly<Record<string, string>> = {
  idle: 'nothing is being done to its backups',
  backingUp: 'a backup is being made',
  verifying: 'a backup is compared with its checksum',
  deleting: 'a backup is being deleted',
  halting: 'the game is stopped, so that a backup can be restored',
  restoring: 'a backup is being restored',
  resuming: 'the game is started again after a restoration',
  owing: 'the game does not run again yet after a restoration',
};

/** Only games have backups. */
function maintenanceConditions(
  value: InstanceState['value'],
  { ctype }: InstanceContext,
  since: Readonly<Record<string, number>>,
): Condition[] {
  if (ctype !== 'game') return [];
  const reason = nameOf(value['maintenance']);
  return [
    {
      type: 'Maintenance',
      status: reason === 'idle' ? 'False' : 'True',
      reason,
      message: MAINTENANCE[reason] ?? reason,
      lastTransitionTime: new Date(since['maintenance'] ?? 0).toISOString(),
    },
  ];
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
      truth(host === 'running', host === 'unknown' || host === UNSEEN),
      ...hostReason(host, context),
      'host',
    ),
    condition(
      'AgentReady',
      truth(agent === 'ready', ['unknown', 'unreachable', UNSEEN].includes(agent)),
      agentReason(agent, recovery, context.agent.state),
      agentMessage(agent, recovery, context),
      'agent',
    ),
  ];
}
