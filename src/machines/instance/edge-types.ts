import type { Failure, Wish } from './terms.ts';

/** What an instance is known as outside: its targets, its registration, and what is heard of them. */

interface DnsPlace {
  /** Complete, with the zone: `mc-vanilla-5001.example.com`. */
  readonly name: string;
  /** IPv4. Where players connect to; never the container itself. */
  readonly address: string;
  /** `_minecraft._tcp`, before the name. */
  readonly service: string;
  readonly port: number;
}

type Protocol = 'tcp' | 'udp';

/** Where an instance can be published, and as what. There is at most one of each kind. */
export type TargetSpec =
  | ({ readonly kind: 'internal_dns' } & DnsPlace)
  | ({ readonly kind: 'public_dns' } & DnsPlace)
  /** `port` is the one players connect to, `entryPoint` its name at Traefik. */
  | {
      readonly kind: 'router';
      readonly entryPoint: string;
      readonly protocol: Protocol;
      readonly port: number;
      readonly backendPort: number;
    }
  | {
      readonly kind: 'forward';
      readonly protocol: Protocol;
      readonly port: number;
      readonly targetIp: string;
      readonly targetPort: number;
    };

export type TargetKind = TargetSpec['kind'];
export type TargetOf<Kind extends TargetKind> = Extract<TargetSpec, { kind: Kind }>;

/**
 * `absent`: we have asked for nothing there. `publishing` and `removing`: the outcome is open.
 * `failed`: publishing it did not work, so something may be there all the same. `stuck`: removing
 * it did not; `owed`: nor did it in the time that a deletion has, so a debt says it.
 */
export type TargetState =
  | 'absent'
  | 'publishing'
  | 'published'
  | 'failed'
  | 'removing'
  | 'stuck'
  | 'owed';

export interface Target {
  readonly spec: TargetSpec;
  readonly state: TargetState;
  /** Since when it is so. */
  readonly since: number;
  readonly failure: Omit<Failure, 'step'> | null;
}

export interface Edge {
  /** false: an administrator has taken it off. */
  readonly isWanted: boolean;
  readonly targets: readonly Target[];
  /** What is to be published instead, as soon as nothing of the present is left. */
  readonly next: EdgePlan | null;
}

/** What the bridge of Velocity has posted. Times are Unix ms. */
export interface ProxyReport {
  readonly status: 'registered_with_proxy' | 'proxy_ping_ok' | 'proxy_ping_failed';
  readonly serverName: string;
  readonly address: string;
  readonly port: number;
  /** It was registered already, or the same was reported before. */
  readonly duplicate: boolean;
  readonly latencyMs: number | null;
  readonly detail: string | null;
  /** By the clock of the bridge, if it says. */
  readonly reportedAt: number | null;
}

export interface ProxyRecord {
  readonly serverName: string;
  /** Of the game inside the container. */
  readonly backendPort: number;
  /** Where the name leads, or is asked to lead; null: nowhere. */
  readonly registration: {
    readonly address: string;
    readonly port: number;
    readonly since: number;
  } | null;
  /** The latest about this registration. */
  readonly report: (ProxyReport & { readonly receivedAt: number }) | null;
  /** The clock of the bridge at the latest report, of this registration or an earlier one. */
  readonly heardUntil: number | null;
  /** When the backend was last pinged, whichever way that ended. */
  readonly pingedAt: number | null;
  /** Reports, in all and of what kind. */
  readonly counts: { readonly reports: number; readonly duplicates: number; readonly late: number };
  /** The latest that came too late to be about this registration. */
  readonly late: (ProxyReport & { readonly receivedAt: number }) | null;
  /** How often the bridge had forgotten it. */
  readonly forgotten: number;
  /** Why the last attempt to register or to unregister it did not work. */
  readonly failure: Omit<Failure, 'step'> | null;
}

/** A change of what is published, wished by an administrator. */
export interface EdgeOperation {
  readonly id: string;
  readonly kind: 'publish' | 'unpublish';
  readonly state: 'running' | 'succeeded' | 'failed' | 'superseded';
  readonly requestedBy: string;
  readonly acceptedAt: number;
  readonly finishedAt: number | null;
  readonly error: Failure | null;
}

/** What is to be published, by configuration and game. */
export interface EdgePlan {
  readonly targets: readonly TargetSpec[];
  readonly proxy: Pick<ProxyRecord, 'serverName' | 'backendPort'> | null;
}

export type EdgeFact =
  /** The plan is what the configuration of today says. */
  | ({ readonly type: 'publish.requested'; readonly plan: EdgePlan } & Wish)
  | ({ readonly type: 'unpublish.requested' } & Wish)
  | { readonly type: 'target.published'; readonly opId: string }
  | { readonly type: 'target.removed'; readonly opId: string }
  /** A comparison has not found there what ought to be there. */
  | { readonly type: 'target.lost'; readonly kind: TargetKind; readonly message: string }
  /** `isVerified`: the bridge lists it; an older one only acknowledges. */
  | { readonly type: 'proxy.registered'; readonly opId: string; readonly isVerified: boolean }
  | { readonly type: 'proxy.unregistered'; readonly opId: string }
  | ({ readonly type: 'proxy.reported' } & ProxyReport)
  /** What the bridge lists under our name, compared with `address` and `port`. */
  | {
      readonly type: 'proxy.observed';
      readonly registration: 'registered' | 'missing' | 'elsewhere';
      readonly address: string;
      readonly port: number;
    };

type TargetEffect = {
  [Kind in TargetKind]: {
    readonly kind: `${Kind}.${'publish' | 'remove'}`;
    readonly target: TargetOf<Kind>;
  };
}[TargetKind];

export type EdgeEffect =
  | TargetEffect
  | {
      readonly kind: 'proxy.register';
      readonly serverName: string;
      readonly address: string;
      readonly port: number;
    }
  | { readonly kind: 'proxy.unregister'; readonly serverName: string };
