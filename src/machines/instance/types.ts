/**
 * What an instance actor remembers, hears and asks for. All of it is stored as JSON: no dates,
 * no classes, no undefined. Live numbers (players, CPU, last seen) never enter it.
 */

import type {
  Edge,
  EdgeEffect,
  EdgeFact,
  EdgeOperation,
  EdgePlan,
  ProxyRecord,
  TargetKind,
} from './edge-types.ts';
import type {
  BackupOpKind,
  Maintenance,
  MaintenanceEffect,
  MaintenanceFact,
} from './maintenance-types.ts';
import type { Failure, Wish } from './terms.ts';

/** A lane is a third party an instance has at most one call in flight to. */
export type Lane = 'host' | 'agent' | 'proxy' | 'backup' | TargetKind;

export type HostOpKind =
  | 'clone'
  | 'configure'
  | 'start'
  | 'shutdown'
  | 'stop'
  | 'restart'
  | 'observe'
  | 'address'
  | 'destroy';
export type AgentOpKind = 'configure' | 'await' | 'restart';
export type ProxyOpKind = 'register' | 'unregister';
export type EdgeOpKind = 'publish' | 'remove';

/** One call in flight. `id` fences its result: an answer to a superseded call changes nothing. */
export interface Op<Kind extends string = string> {
  readonly id: string;
  readonly kind: Kind;
  /** When it was asked for. A task that is older was not started for it. */
  readonly since: number;
  /** The Proxmox task to attach to again after a crash, once we know it. */
  readonly upid: string | null;
}

/** Something in the world that we could not remove. A reconciler pays it. */
export interface Debt {
  readonly kind: 'container' | 'proxy' | TargetKind;
  readonly code: string;
  readonly message: string;
  /** What to remove, where the instance's number does not say. */
  readonly subject: Readonly<Record<string, unknown>> | null;
}

export interface Operation {
  readonly id: string;
  readonly kind: 'create' | 'retry' | 'delete';
  readonly state: 'running' | 'succeeded' | 'failed' | 'superseded';
  readonly requestedBy: string;
  /** Unix time in ms, as are all times of this file. */
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
}

export type PowerStep = 'start' | 'shutdown' | 'stop' | 'restart';

/** One change of power, by whoever wanted it: its owner, provisioning or a deletion. */
export interface HostOperation {
  readonly id: string;
  readonly kind: 'start' | 'stop' | 'restart';
  readonly state: 'running' | 'succeeded' | 'failed' | 'superseded';
  readonly requestedBy: string;
  readonly acceptedAt: number;
  /** When Proxmox began to work on it. */
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly deadline: number;
  /** The latest Proxmox task that worked on it. */
  readonly upid: string | null;
  /** What is being done just now, or was done last. */
  readonly step: PowerStep;
  readonly error: Failure | null;
}

/** What was ordered, and what has become of it at the edge: both have one writer, the actor. */
export interface Payload {
  readonly game: string | null;
  readonly variant: string | null;
  readonly runtime: string | null;
  readonly version: string;
  readonly world: string | null;
  readonly memoryMiB: number;
  readonly cpuCores: number;
  /** null: nothing is to be published. */
  readonly edge: Edge | null;
  /** null: it is not reached through Velocity. */
  readonly proxy: ProxyRecord | null;
}

export interface InstanceInput {
  /** `<vmid>-<epoch>`: the actor's id, never used again, and the marker on the container. */
  readonly id: string;
  readonly vmid: number;
  readonly customerId: string;
  readonly ctype: 'game' | 'dev';
  readonly hostname: string;
  readonly engineType: string | null;
  readonly allocatedPorts: readonly number[];
  readonly payload: Omit<Payload, 'edge' | 'proxy'>;
  /** What is to be published once it is ready. */
  readonly plan: EdgePlan;
  readonly readyDeadlineMs: number;
  /** How often a game that dies is started again by itself, within how long. */
  readonly restarts: { readonly max: number; readonly windowMs: number };
  readonly operation: { readonly id: string; readonly requestedBy: string };
  readonly at: number;
}

export type Setback = Omit<Failure, 'step'>;

/** The regions that repeat calls. */
export type Attempting = 'provisioning' | 'host' | 'edge' | 'proxy';

/** The calls in flight, by lane. */
export interface Ops {
  readonly host: Op<HostOpKind> | null;
  readonly agent: Op<AgentOpKind> | null;
  readonly proxy: Op<ProxyOpKind> | null;
  readonly backup: Op<BackupOpKind> | null;
  readonly edge: Readonly<Partial<Record<TargetKind, Op<EdgeOpKind>>>>;
}

export interface InstanceContext
  extends Omit<InstanceInput, 'operation' | 'at' | 'plan' | 'payload'> {
  readonly payload: Payload;
  readonly node: string | null;
  readonly ip: string | null;
  readonly opSeq: number;
  /** Attempts made of the step that each region is in. */
  readonly attempts: Readonly<Record<Attempting, number>>;
  /** Why the step that each region is in was last begun anew. */
  readonly setbacks: Readonly<Record<'provisioning' | 'host', Setback | null>>;
  readonly ops: Ops;
  readonly operation: Operation;
  readonly hostOperation: HostOperation | null;
  readonly edgeOperation: EdgeOperation | null;
  /** The latest tasks of Proxmox, the newest last: none of them belongs to a later call. */
  readonly tasks: readonly string[];
  /** What Proxmox says beside the power, and why the region is where it is if we did not do it. */
  readonly sighting: { readonly lock: string | null; readonly drift: Drift | null };
  readonly failure: Failure | null;
  readonly hostFailure: Failure | null;
  readonly debts: readonly Debt[];
  readonly agent: {
    readonly readySource: string | null;
    readonly installStep: string | null;
    /** What the game is doing, in the agent's own word, while it is not ready. */
    readonly state: string | null;
    /** Crashes that we know of. */
    readonly crashCount: number;
    /** The agent's own count, which begins anew with the agent; null if it does not say. */
    readonly reportedCrashes: number | null;
    readonly lastCrashAt: number | null;
    readonly lastSeenAt: number | null;
  };
  /** When the game was started again by us, the latest last. */
  readonly restartedAt: readonly number[];
  readonly maintenance: Maintenance;
  readonly entitlement: {
    /** Of the latest decision that it heard of: an older one that comes late changes nothing. */
    readonly order: number;
    /** null: its owner may use it. */
    readonly suspendedAt: number | null;
    readonly reason: string | null;
    /** Did it run, or was it to run, when it was last suspended? */
    readonly wantsRunning: boolean;
  };
}

/** The world changed without us. */
export interface Drift {
  readonly code:
    | 'started_outside'
    | 'stopped_outside'
    | 'vanished'
    | 'appeared'
    | 'moved'
    | 'node_offline';
  readonly message: string;
  readonly at: number;
}

export type AgentCondition = 'unreachable' | 'alive' | 'ready' | 'crashed';

export type Power = 'running' | 'stopped' | 'absent' | 'unknown';

type Fact =
  | EdgeFact
  | MaintenanceFact
  | { readonly type: 'entitlement.suspended'; readonly reason: string; readonly order: number }
  | { readonly type: 'entitlement.restored'; readonly order: number }
  | ({ readonly type: 'retry.requested' } & Wish)
  | ({ readonly type: 'start.requested' } & Wish)
  | ({ readonly type: 'stop.requested' } & Wish)
  | ({ readonly type: 'restart.requested' } & Wish)
  | ({ readonly type: 'delete.requested'; readonly force: boolean } & Wish)
  | { readonly type: 'task.started'; readonly opId: string; readonly upid: string }
  | { readonly type: 'container.cloned'; readonly opId: string; readonly node: string }
  | { readonly type: 'container.configured'; readonly opId: string }
  | { readonly type: 'container.started'; readonly opId: string }
  | { readonly type: 'container.stopped'; readonly opId: string }
  | { readonly type: 'container.restarted'; readonly opId: string }
  | { readonly type: 'container.destroyed'; readonly opId: string }
  /** `opId`: the searching call, when a call of ours asked; null when a sweep saw it. */
  | { readonly type: 'address.found'; readonly opId: string | null; readonly ip: string }
  | { readonly type: 'agent.configured'; readonly opId: string }
  | { readonly type: 'agent.restarted'; readonly opId: string }
  | {
      readonly type: 'host.observed';
      /** `unknown`: Proxmox itself cannot tell, because the node is offline. */
      readonly power: Power;
      /** null with `absent`. */
      readonly node: string | null;
      /** Why Proxmox refuses changes at the moment: `backup`, `migrate`, … */
      readonly lock: string | null;
      /** The observing call, when a call of ours asked; null when a sweep saw it. */
      readonly opId: string | null;
    }
  | {
      readonly type: 'agent.observed';
      readonly condition: AgentCondition;
      readonly readySource: string | null;
      readonly installStep: string | null;
      /** The agent's own word for the game, while it is not ready. */
      readonly state: string | null;
      readonly crashCount: number | null;
    }
  | {
      readonly type: 'effect.failed';
      readonly opId: string;
      readonly code: string;
      readonly message: string;
      readonly retryable: boolean;
    };

/** Every event carries the time at which the runtime accepted it. */
export type InstanceEvent = Fact & { readonly at: number };

/** Proxmox is asked once: whoever repeats the call looks for the task that it began. */
interface PowerCall {
  readonly node: string | null;
  /** Tasks of earlier calls. */
  readonly known: readonly string[];
}

/** What the machine may ask the world to do. Each becomes one outbox row. */
export type Effect = { readonly opId: string; readonly vmid: number; readonly id: string } & (
  | { readonly kind: 'container.clone'; readonly hostname: string }
  | {
      readonly kind: 'container.configure';
      readonly node: string;
      readonly ctype: 'game' | 'dev';
      readonly cpuCores: number;
      readonly memoryMiB: number;
    }
  | ({ readonly kind: 'container.start' } & PowerCall)
  | ({ readonly kind: 'container.shutdown' } & PowerCall)
  | ({ readonly kind: 'container.stop' } & PowerCall)
  | ({ readonly kind: 'container.restart' } & PowerCall)
  | { readonly kind: 'container.observe'; readonly node: string | null }
  | { readonly kind: 'container.address'; readonly node: string | null }
  | { readonly kind: 'container.destroy'; readonly node: string | null }
  | {
      readonly kind: 'agent.configure';
      readonly ip: string;
      readonly ctype: 'game' | 'dev';
      readonly ports: readonly number[];
      readonly payload: Omit<Payload, 'edge' | 'proxy'>;
    }
  | { readonly kind: 'agent.await'; readonly ip: string }
  | { readonly kind: 'agent.restart'; readonly ip: string }
  | EdgeEffect
  | MaintenanceEffect
);

export type EffectKind = Effect['kind'];
