import { POWER_DEADLINES_MS } from './delays.ts';
import { instanceSetup } from './setup.ts';
import { atOf, failureOf, powerCall, releaseHostLane, takeHostLane } from './steps.ts';
import type { Drift, HostOperation, InstanceContext, InstanceEvent, PowerStep } from './types.ts';

/** The building blocks of the host region: operations on power, and what was seen of it. */

const FIRST_STEP = { start: 'start', stop: 'shutdown', restart: 'restart' } as const;

const begun = (
  kind: HostOperation['kind'],
  { id, requestedBy, at }: { id: string; requestedBy: string; at: number },
): HostOperation => ({
  id,
  kind,
  state: 'running',
  requestedBy,
  acceptedAt: at,
  startedAt: null,
  finishedAt: null,
  deadline: at + POWER_DEADLINES_MS[kind],
  upid: null,
  step: FIRST_STEP[kind],
  error: null,
});

/**
 * A wish becomes the operation that its sender can follow. A start may bring another address: the
 * old one could meanwhile be somebody else's, so it is forgotten until a sweep has seen the new one.
 */
export const acceptPower = (kind: HostOperation['kind']) =>
  instanceSetup.assign({
    hostOperation: ({ context, event }) =>
      event.type === 'start.requested' ||
      event.type === 'stop.requested' ||
      event.type === 'restart.requested'
        ? begun(kind, { id: event.operationId, requestedBy: event.requestedBy, at: event.at })
        : context.hostOperation,
    ip: ({ context }) => (kind === 'stop' ? context.ip : null),
    ...settled,
  });

/** Provisioning, a deletion, billing or maintenance wants it: an operation in their name. */
export const demandPower = (kind: HostOperation['kind'], by?: 'billing' | 'maintenance') =>
  instanceSetup.assign({
    hostOperation: ({ context: { operation, opSeq }, event }) =>
      begun(kind, {
        id: `${operation.id}.${opSeq + 1}`,
        requestedBy: by ?? operation.requestedBy,
        at: atOf(event),
      }),
    ...settled,
  });

/** What was wrong before is settled by whoever changes the power. */
const settled = {
  hostFailure: null,
  sighting: ({ context }: { context: InstanceContext }) => ({ ...context.sighting, drift: null }),
} as const;

/** Takes the host lane and asks a worker to make the call. */
export const beginPower = (step: PowerStep) =>
  [
    takeHostLane('host', step),
    instanceSetup.assign({
      hostOperation: ({ context }) => context.hostOperation && { ...context.hostOperation, step },
    }),
    {
      type: 'effect',
      params: ({ context }: { context: InstanceContext }) => ({
        effect: { kind: `container.${step}`, ...powerCall(context) } as const,
      }),
    },
  ] as const;

const ended = (
  operation: HostOperation | null,
  event: InstanceEvent,
  end: Pick<HostOperation, 'state' | 'error'>,
) => operation && { ...operation, ...end, finishedAt: atOf(event) };

export const succeedHost = [
  releaseHostLane,
  instanceSetup.assign({
    hostOperation: ({ context, event }) =>
      ended(context.hostOperation, event, { state: 'succeeded', error: null }),
  }),
] as const;

/** Ends the operation with the reason, under the name of the step that failed. */
export const failHost = [
  instanceSetup.assign({
    hostFailure: ({ context: { hostOperation, setbacks }, event }) =>
      failureOf(hostOperation?.step ?? 'host', event, setbacks.host),
  }),
  releaseHostLane,
  instanceSetup.assign({
    hostOperation: ({ context, event }) =>
      ended(context.hostOperation, event, { state: 'failed', error: context.hostFailure }),
  }),
] as const;

/** A deletion has made it pointless. */
export const supersedeHost = instanceSetup.assign({
  hostOperation: ({ context: { hostOperation }, event }) =>
    hostOperation?.state === 'running'
      ? ended(hostOperation, event, { state: 'superseded', error: null })
      : hostOperation,
});

/** Keeps what Proxmox says. `drift`: why the region goes where it goes, if we did not do it. */
export const sight = (drift: Exclude<Drift['code'], 'moved'> | null) =>
  instanceSetup.assign({
    node: ({ context, event }) => seenNode(event) ?? context.node,
    ip: ({ context }) => (drift === 'started_outside' || drift === 'appeared' ? null : context.ip),
    sighting: ({ context, event }) => ({
      lock: event.type === 'host.observed' ? event.lock : context.sighting.lock,
      drift: drift ? driftOf(drift, event) : (moved(context, event) ?? context.sighting.drift),
    }),
  });

/**
 * It is known again what was unknown. Whatever was the reason of that is over; and who knows what
 * happened meanwhile: a node that was away may have started the container with another address.
 */
export const recognize = instanceSetup.assign({
  node: ({ context, event }) => seenNode(event) ?? context.node,
  ip: null,
  hostFailure: null,
  sighting: ({ context, event }) => ({
    lock: event.type === 'host.observed' ? event.lock : context.sighting.lock,
    drift: moved(context, event),
  }),
});

export const rememberAddress = instanceSetup.assign({
  ip: ({ context, event }) => (event.type === 'address.found' ? event.ip : context.ip),
});

const seenNode = (event: InstanceEvent) => (event.type === 'host.observed' ? event.node : null);

const MESSAGES: Readonly<Record<Drift['code'], string>> = {
  started_outside: 'somebody started it on Proxmox',
  stopped_outside: 'it was stopped on Proxmox, or ended by itself',
  vanished: 'Proxmox does not know it any more',
  appeared: 'Proxmox knows it again',
  moved: 'it was moved to another node',
  node_offline: 'its node does not answer',
};

const driftOf = (code: Drift['code'], event: InstanceEvent): Drift => ({
  code,
  message: MESSAGES[code],
  at: atOf(event),
});

function moved({ node }: InstanceContext, event: InstanceEvent): Drift | null {
  const now = seenNode(event);
  return now !== null && node !== null && now !== node ? driftOf('moved', event) : null;
}
