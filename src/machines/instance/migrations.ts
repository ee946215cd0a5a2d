import type { InstanceContext } from './types.ts';

/** Version 4 knew nothing of backups. */
type OldContext4 = Omit<InstanceContext, 'maintenance' | 'ops'> & {
  readonly ops: Omit<InstanceContext['ops'], 'backup'>;
};

/** Version 3 knew nothing of payments. */
type OldContext3 = Omit<OldContext4, 'entitlement'>;

/** Versions 1 and 2 published nothing and had calls to Proxmox and to agents only. */
type OldContext = Omit<OldContext3, 'ops' | 'attempts' | 'setbacks' | 'edgeOperation'> & {
  readonly ops: Pick<InstanceContext['ops'], 'host' | 'agent'>;
  readonly attempts: Pick<InstanceContext['attempts'], 'provisioning' | 'host'>;
};

/** A stored state of any version. */
interface Snapshot {
  readonly value: unknown;
  readonly context: unknown;
  readonly status: string;
  readonly since: Readonly<Record<string, number>>;
}

/** How a stored state of version n becomes one of version n + 1. Never changed once released. */
export const migrations: Readonly<Record<number, (snapshot: Snapshot) => Snapshot>> = {
  /** Version 2 knows operations on power, what Proxmox says beside it, and recovery. */
  1: ({ value, context, since, ...rest }) => {
    const before = context as OldContext;
    const { agent, ops } = before;
    return {
      ...rest,
      value: { ...(value as Record<string, unknown>), ...hostOf(value), recovery: 'idle' },
      since: { ...since, recovery: since['host'] ?? 0 },
      context: {
        ...before,
        restarts: { max: 3, windowMs: 600_000 },
        ops: {
          host: ops.host && { ...ops.host, since: 0 },
          agent: ops.agent && { ...ops.agent, since: 0 },
        },
        hostOperation: null,
        tasks: [],
        sighting: { lock: null, drift: null },
        agent: { ...agent, state: null, reportedCrashes: null },
        restartedAt: [],
      },
    };
  },
  /** Version 3 knows edge and proxy. What is in service already is published when somebody asks. */
  2: ({ value, context, since, ...rest }) => {
    const before = context as OldContext;
    const at = since['provisioning'] ?? 0;
    return {
      ...rest,
      value: { ...(value as Record<string, unknown>), edge: 'unpublished', proxy: 'none' },
      since: { ...since, edge: at, proxy: at },
      context: {
        ...before,
        payload: { ...before.payload, edge: null, proxy: null },
        attempts: { ...before.attempts, edge: 0, proxy: 0 },
        ops: { ...before.ops, proxy: null, edge: {} },
        setbacks: { provisioning: null, host: null },
        edgeOperation: null,
        debts: before.debts.map((debt) => ({ ...debt, subject: null })),
        agent: { ...before.agent, state: before.agent.state ?? null },
      },
    };
  },
  /** Version 4 knows whether it is paid for. */
  3: ({ value, context, since, ...rest }) => ({
    ...rest,
    value: { ...(value as Record<string, unknown>), entitlement: 'granted' },
    since: { ...since, entitlement: since['provisioning'] ?? 0 },
    context: {
      ...(context as OldContext3),
      entitlement: { order: 0, suspendedAt: null, reason: null, wantsRunning: false },
    },
  }),
  /** Version 5 knows backups. */
  4: ({ value, context, since, ...rest }) => ({
    ...rest,
    value: { ...(value as Record<string, unknown>), maintenance: 'idle' },
    since: { ...since, maintenance: since['provisioning'] ?? 0 },
    context: {
      ...(context as OldContext4),
      ops: { ...(context as OldContext4).ops, backup: null },
      maintenance: { operation: null, wasRunning: false, attempts: 0 },
    },
  }),
  /** Version 6 forgets that a game ran as soon as it is owed nothing, and starts what went off first. */
  5: ({ value, context, ...rest }) => {
    const before = context as InstanceContext;
    const { maintenance, host } = value as { maintenance: unknown; host: unknown };
    const isOwing = typeof maintenance === 'object' && 'owing' in (maintenance ?? {});
    const isStarting = typeof host === 'object' && 'starting' in (host ?? {});
    const isOff = isOwing && (host === 'stopped' || isStarting);
    const owing = { unpowered: isStarting ? 'starting' : 'due' };
    const wasRunning = maintenance !== 'idle' && before.maintenance.wasRunning;
    return {
      ...rest,
      value: { ...(value as Record<string, unknown>), ...(isOff && { maintenance: { owing } }) },
      context: {
        ...before,
        ops: isOff ? { ...before.ops, backup: null } : before.ops,
        maintenance: { ...before.maintenance, wasRunning, ...(isOff && { attempts: 1 }) },
      },
    };
  },
};

/**
 * A stop in version 1 was one call that ended by force. Its effect is answered as before, and
 * the state that waits for it is the one that pulls the plug.
 */
function hostOf(value: unknown): { host?: unknown } {
  const { host } = value as { host: unknown };
  const stopping = (host as { stopping?: unknown }).stopping;
  return typeof stopping === 'string' ? { host: { stopping: { halting: stopping } } } : {};
}
