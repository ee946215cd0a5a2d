import type { InstanceContext, Operation } from './types.ts';

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

export interface InstanceStatus {
  /** One word for people; the conditions say more. */
  readonly status: string;
  readonly hostStatus: string;
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
  const step = STEPS.has(provisioning) ? provisioning : null;
  return {
    status: wordFor(provisioning, host, agent),
    hostStatus: host === 'absent' ? 'unknown' : host,
    agentStatus:
      agent === 'alive' || agent === 'ready' || agent === 'crashed' ? 'online' : 'offline',
    agentReady: agent === 'ready',
    installStep: step && (context.agent.installStep ?? step),
    conditions: conditionsOf({ provisioning, host, agent }, context, since),
    operation: { ...context.operation, step },
  };
}

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

interface Regions {
  readonly provisioning: string;
  readonly host: string;
  readonly agent: string;
}

function conditionsOf(
  { provisioning, host, agent }: Regions,
  { failure, hostFailure, agent: { readySource } }: InstanceContext,
  since: Readonly<Record<string, number>>,
): Condition[] {
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
      (host === 'unknown' && hostFailure?.code) || host,
      (host === 'unknown' && hostFailure?.message) || `the container is ${host}`,
      'host',
    ),
    condition(
      'AgentReady',
      truth(agent === 'ready', agent === 'unknown' || agent === 'unreachable'),
      agent,
      readySource ? `ready by ${readySource}` : `the agent is ${agent}`,
      'agent',
    ),
  ];
}
