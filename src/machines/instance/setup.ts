import { and, not, or, setup, stateIn } from 'xstate';

import { AGENT_RULES } from './agent-rules.ts';
import { DELAYS } from './delays.ts';
import { isSamePlan, isStale, mayEndUnpaid } from './edge-rules.ts';
import { ENTITLEMENT_RULES } from './entitlement-rules.ts';
import { MAINTENANCE_RULES } from './maintenance-rules.ts';
import { PROXY_RULES } from './proxy-rules.ts';
import type { Effect, InstanceContext, InstanceEvent, InstanceInput, Power } from './types.ts';

/** Attempts of one step before its failure is told to the customer. */
export const STEP_ATTEMPTS_MAX = 5;

/** Steps whose retry begins with power: everything before them is done. */
const LATE_STEPS: readonly string[] = ['start', 'address', 'install', 'ready'];
/** Calls of provisioning that change the container, which a deletion lets end first. */
const PROVISIONING_OPS: readonly string[] = ['clone', 'configure'];

export const POWER_OPS: readonly string[] = ['start', 'shutdown', 'stop', 'restart'];
/** The container that a call was about is not there, or is not ours. */
const GONE: readonly string[] = ['container_missing', 'container_foreign'];

export interface EffectParams {
  readonly effect: Effect;
}

type Fenced = Extract<InstanceEvent, { opId: string | null }>;

export const opIdOf = (event: InstanceEvent) => (event as Partial<Fenced>).opId ?? null;

/** Restarts of the game that still count. */
export const recentRestarts = (
  { restartedAt, restarts }: InstanceContext,
  event: { readonly type: string; readonly at?: number },
) => restartedAt.filter((at) => at > (event.at ?? 0) - restarts.windowMs);

/**
 * The vocabulary of all regions. Guards that look across regions live here and nowhere else, so
 * that the rules between regions can be read in one place.
 */
export const instanceSetup = setup({
  types: {
    context: {} as InstanceContext,
    events: {} as InstanceEvent,
    input: {} as InstanceInput,
    // `transient`: resolves by itself, so it has a deadline. `archived`: nothing is left to do.
    tags: {} as 'transient' | 'archived',
  },
  actions: {
    /** Pure data. The runtime writes it to the outbox; a worker performs it after the commit. */
    effect: (_: unknown, _params: EffectParams): void => {},
  },
  guards: {
    isHostOp: ({ context, event }) =>
      context.ops.host !== null && context.ops.host.id === opIdOf(event),
    isAgentOp: ({ context, event }) =>
      context.ops.agent !== null && context.ops.agent.id === opIdOf(event),
    isPowerOp: ({ context, event }) =>
      context.ops.host !== null &&
      context.ops.host.id === opIdOf(event) &&
      POWER_OPS.includes(context.ops.host.kind),
    /** Proxmox has begun with the call in flight. */
    hasBegun: ({ context }) => context.ops.host?.upid != null,
    mayRepeat: ({ context, event }) =>
      event.type === 'effect.failed' &&
      event.retryable &&
      context.attempts.provisioning < STEP_ATTEMPTS_MAX &&
      (event.opId === context.ops.host?.id || event.opId === context.ops.agent?.id),
    /** Power is tried until the deadline: a backup, say, locks a container for minutes. */
    mayRepeatPower: ({ context, event }) =>
      event.type === 'effect.failed' && event.retryable && event.opId === context.ops.host?.id,
    isContainerGone: ({ context, event }) =>
      event.type === 'effect.failed' &&
      event.opId === context.ops.host?.id &&
      GONE.includes(event.code),
    hasFreeHostLane: ({ context }) => context.ops.host === null,
    hasFreeAgentLane: ({ context }) => context.ops.agent === null,
    isHostRunning: stateIn({ host: 'running' }),
    isHostStopped: stateIn({ host: 'stopped' }),
    isHostAbsent: stateIn({ host: 'absent' }),
    isHostDown: or([stateIn({ host: 'stopped' }), stateIn({ host: 'absent' })]),
    isHostLost: or([stateIn('#instance.host.unknown'), stateIn({ host: 'absent' })]),
    isProvisioningOp: ({ context, event }) =>
      context.ops.host !== null &&
      context.ops.host.id === opIdOf(event) &&
      PROVISIONING_OPS.includes(context.ops.host.kind),
    isAgentOffline: stateIn({ agent: 'offline' }),
    isAgentReady: stateIn({ agent: 'ready' }),
    isDoomed: or([
      stateIn('#instance.provisioning.deleting'),
      stateIn('#instance.provisioning.deleted'),
    ]),
    /** Provisioning wants the container on. Power itself belongs to the host region. */
    isStartDemanded: and([stateIn({ provisioning: 'booting' }), 'hasFreeHostLane']),
    /** A deletion wants it off, and no call of provisioning is still in flight. */
    isStopDemanded: and([stateIn('#instance.provisioning.deleting'), 'hasFreeHostLane']),
    isReadyToDestroy: and([
      'hasFreeHostLane',
      or([
        stateIn({ host: 'stopped' }),
        stateIn({ host: 'absent' }),
        stateIn('#instance.host.unknown'),
      ]),
    ]),
    isToBeAbandoned: and([
      or([
        stateIn('#instance.provisioning.deleting.destroying'),
        stateIn('#instance.provisioning.deleting.releasing'),
        stateIn('#instance.provisioning.deleted'),
      ]),
      not(stateIn('#instance.host.unknown.abandoned')),
      not(stateIn({ host: 'absent' })),
    ]),
    /** A container in service is deleted only when it is off, or when its owner insists. */
    mayDelete: or([
      ({ event }) => event.type === 'delete.requested' && event.force,
      stateIn({ host: 'stopped' }),
      stateIn({ host: 'absent' }),
    ]),
    mayCloneAgain: and(['isRetriable', ({ context }) => context.failure?.step === 'clone']),
    mayConfigureAgain: and(['isRetriable', ({ context }) => context.failure?.step === 'configure']),
    mayBootAgain: and([
      'isRetriable',
      ({ context }) => LATE_STEPS.includes(context.failure?.step ?? ''),
    ]),
    /** A retry starts from what is known: not while power is unknown or is being changed. */
    isRetriable: and(['isEntitled', 'hasFreeHostLane', or(['isHostDown', 'isHostRunning'])]),
    /** Provisioning waits for nothing: what it calls for, its own deadlines watch. */
    isAtRest: or([stateIn({ provisioning: 'ready' }), stateIn({ provisioning: 'failed' })]),
    /** Its owner may change its power: it is in service, and nobody else is at it. */
    mayPower: and([
      'isUnmaintained',
      'isEntitled',
      stateIn({ provisioning: 'ready' }),
      'hasFreeHostLane',
    ]),
    /** It is not paid for and on, and nobody is at it. */
    isSuspensionDemanded: and([not('isEntitled'), 'isUnmaintained', 'isAtRest', 'hasFreeHostLane']),
    isResumeDemanded: and([
      ({ context }) => context.entitlement.wantsRunning,
      stateIn({ entitlement: 'resuming' }),
      stateIn({ provisioning: 'ready' }),
      'hasFreeHostLane',
    ]),
    isResumed: or(['isHostRunning', 'isDoomed', stateIn({ provisioning: 'failed' })]),
    ...AGENT_RULES,
    ...ENTITLEMENT_RULES,
    ...MAINTENANCE_RULES,
    ...PROXY_RULES,
    /** The agent of a container in service can be asked, and nobody is at it. */
    mayMaintain: and([
      'isUnmaintained',
      'isEntitled',
      'isHostRunning',
      'hasFreeAgentLane',
      stateIn({ provisioning: 'ready' }),
      ({ context }) => context.ctype === 'game' && context.ip !== null,
    ]),
    mustResumeGame: and(['isBackupOp', 'wasGameRunning']),
    isGameReachable: and(['isHostRunning', 'hasAddress']),
    isHostStarting: stateIn('#instance.host.starting'),
    /** It went off in the middle of a restoration, and nobody wanted that. */
    isLostMeanwhile: and(['isHostStopped', 'wasGameRunning']),
    isStartOwed: and([
      stateIn('#instance.maintenance.owing.unpowered.due'),
      'isEntitled',
      stateIn({ provisioning: 'ready' }),
      'hasFreeHostLane',
    ]),
    mayStartOwedAgain: and(['isHostStopped', 'hasOwedStartsLeft']),
    /** Somebody turns it off, or may not have it on. */
    isNothingOwed: or([
      'isHostAbsent',
      stateIn('#instance.host.stopping'),
      and(['isHostStopped', not('isEntitled')]),
    ]),
    /** It is on, on its way there, or still being made; where nobody can tell, the last wish says. */
    isMeantToRun: or([
      not('isAtRest'),
      'isHostRunning',
      stateIn('#instance.host.starting'),
      stateIn('#instance.host.restarting'),
      stateIn('#instance.maintenance.owing.unpowered'),
      and([
        stateIn('#instance.host.unknown'),
        ({ context }) => context.hostOperation?.kind !== 'stop',
      ]),
    ]),
    /** What could not be made ready may be on all the same. */
    mayStop: and(['isUnmaintained', 'isAtRest', 'hasFreeHostLane']),
    /** The address of a container in service, which its start may have changed. */
    isAddressNews: and([
      stateIn({ provisioning: 'ready' }),
      ({ context, event }) =>
        event.type === 'address.found' && event.opId === null && event.ip !== context.ip,
    ]),
    isHostOldNews: ({ context, event }, params: { power: Power }) =>
      event.type === 'host.observed' &&
      event.opId === null &&
      event.power === params.power &&
      event.lock === context.sighting.lock &&
      (event.node === null || event.node === context.node),
    isSeen: ({ context, event }, params: { power: Power }) =>
      event.type === 'host.observed' &&
      event.power === params.power &&
      // While a call of ours is in flight, only that call may say what the host is.
      (context.ops.host === null || context.ops.host.id === event.opId),
    isCrashed: stateIn({ agent: 'crashed' }),
    /** Nor does the region owe a game its start, as it would start it itself. */
    isMaintenanceIdle: stateIn({ maintenance: 'idle' }),
    /** A game in service has died, and has not done so too often of late. */
    mayRecover: and([
      'isCrashed',
      'isMaintenanceIdle',
      stateIn({ provisioning: 'ready' }),
      'hasFreeAgentLane',
      ({ context, event }) => recentRestarts(context, event).length < context.restarts.max,
    ]),
    mustGiveUp: and(['isCrashed', 'isMaintenanceIdle', stateIn({ provisioning: 'ready' })]),
    isEdgeOp: ({ context, event }) =>
      Object.values(context.ops.edge).some(({ id }) => id === opIdOf(event)),
    isProxyOp: ({ context, event }) =>
      context.ops.proxy !== null && context.ops.proxy.id === opIdOf(event),
    hasFreeEdgeLanes: ({ context }) => Object.keys(context.ops.edge).length === 0,
    /** It has been ready once, and whoever decides has not taken it off. */
    isPublishDemanded: and([
      stateIn({ provisioning: 'ready' }),
      ({ context: { payload } }) => payload.edge?.isWanted === true && payload.edge.next === null,
    ]),
    isUnpublishDemanded: not('isPublishDemanded'),
    hasNextPlan: and([not('isDoomed'), ({ context }) => context.payload.edge?.next != null]),
    mayPublish: and([
      stateIn({ provisioning: 'ready' }),
      ({ event }) =>
        event.type === 'publish.requested' &&
        (event.plan.targets.length > 0 || event.plan.proxy !== null),
    ]),
    mayUnpublish: and([
      stateIn({ provisioning: 'ready' }),
      ({ context }) => context.payload.edge?.isWanted === true,
    ]),
    isPlanKept: ({ context, event }) =>
      event.type === 'publish.requested' && isSamePlan(context.payload, event.plan),
    isPublishedAt: ({ context, event }) =>
      event.type === 'target.lost' &&
      (context.payload.edge?.targets ?? []).some(
        ({ spec, state }) => spec.kind === event.kind && state === 'published',
      ),
    isProxyRegistered: or([
      stateIn({ proxy: 'registered' }),
      stateIn({ proxy: 'ping_ok' }),
      stateIn({ proxy: 'ping_failed' }),
      stateIn({ proxy: 'unverifiable' }),
    ]),
    isProxyGone: stateIn({ proxy: 'none' }),
    isProxyTroubled: ({ context }) => context.payload.proxy?.failure != null,
    isEdgeWhole: and([
      'areTargetsPublished',
      or([({ context }) => context.payload.proxy === null, 'isProxyRegistered']),
    ]),
    areTargetsPublished: ({ context }) =>
      (context.payload.edge?.targets ?? []).every(({ state }) => state === 'published'),
    /** Something did not work, and nothing is on its way any more. */
    isEdgeShort: and(['hasFreeEdgeLanes', or([not('areTargetsPublished'), 'isProxyTroubled'])]),
    isNothingPublished: and([
      not('isProxyRegistered'),
      ({ context }) =>
        (context.payload.edge?.targets ?? []).every(({ state }) => state !== 'published'),
    ]),
    isNothingLeft: ({ context }) =>
      (context.payload.edge?.targets ?? []).every(
        ({ state }) => state === 'absent' || state === 'owed',
      ),
    /** The deletion has waited long enough: whatever is left is owed at once. */
    isEdgeOverdue: and(['isDeleted', not(stateIn({ edge: 'unpublished' }))]),
    isProxyOverdue: and(['isDeleted', not('isProxyGone')]),
    isDeleted: stateIn({ provisioning: 'deleted' }),
    isUnpublished: and([stateIn({ edge: 'unpublished' }), 'isProxyGone']),
    /** A deletion has tried often enough: what is left becomes a debt. */
    mayOweEdge: and(['isDoomed', ({ context }) => mayEndUnpaid(context.attempts.edge)]),
    mayOweProxy: and(['isDoomed', ({ context }) => mayEndUnpaid(context.attempts.proxy)]),
    isRegistrationDemanded: and([
      'isPublishing',
      ({ context: { payload, ip, ops } }) =>
        payload.proxy !== null && ip !== null && ops.proxy === null,
    ]),
    /** The name leads, or may lead, where nothing of this instance is known to be. */
    isRegistrationStale: or([not('isPublishing'), ({ context }) => isStale(context)]),
    isPublishing: or([
      stateIn('#instance.edge.publishing'),
      stateIn({ edge: 'published' }),
      stateIn({ edge: 'degraded' }),
      stateIn({ edge: 'failed' }),
    ]),
  },
  delays: DELAYS,
});
