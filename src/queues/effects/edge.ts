import type { DnsClient } from '../../clients/dns-records.ts';
import type { OpnsenseClient } from '../../clients/opnsense/client.ts';
import type { VelocityClient } from '../../clients/velocity/client.ts';
import { InvalidInputError, UpstreamError } from '../../errors.ts';
import type { TargetKind, TargetOf } from '../../machines/instance/edge-types.ts';
import { markerOf } from '../../machines/instance/marker.ts';
import type { Performance, Performers, ToldEvent } from './performer.ts';
import { poll } from './poll.ts';

/** How far Traefik, which asks us for its routes, has got. */
export interface RouterSight {
  /** The place in the journal of what this instance is now. */
  latestStep(instanceId: string): Promise<number>;
  /** Up to where the routes went that Traefik was last given; null: it was not seen yet. */
  servedUpTo(): Promise<number | null>;
}

/** Undefined: not configured. Whatever was published before that can only be told so. */
export interface EdgeOptions {
  readonly internalDns: DnsClient | undefined;
  readonly publicDns: DnsClient | undefined;
  readonly opnsense: OpnsenseClient | undefined;
  readonly velocity: VelocityClient | undefined;
  readonly router: RouterSight | undefined;
  readonly pollMs: number;
  /** Traefik asks more often than this, or is not there. */
  readonly routerTimeoutMs: number;
}

/** Short, since whoever looks a name up before it is there remembers that for as long. */
const TTL_S = 60;

function configured<Client>(client: Client | undefined, what: string): Client {
  if (client) return client;
  throw new UpstreamError(`${what} is not configured any more`, {
    reason: 'not_configured',
    retryable: false,
  });
}

type EdgeKind = `${TargetKind}.${'publish' | 'remove'}` | `proxy.${'register' | 'unregister'}`;

/** What is published bears our marker, and nothing without it is ever changed or removed. */
export function createEdgePerformers(options: EdgeOptions): Pick<Performers, EdgeKind> {
  const { internalDns, publicDns, opnsense, velocity } = options;
  return {
    'internal_dns.publish': publishName(internalDns, 'internal DNS'),
    'internal_dns.remove': removeName(internalDns, 'internal DNS'),
    'public_dns.publish': publishName(publicDns, 'public DNS'),
    'public_dns.remove': removeName(publicDns, 'public DNS'),
    'router.publish': awaitRouter(options, 'target.published'),
    'router.remove': awaitRouter(options, 'target.removed'),
    async 'forward.publish'({ id, opId, target }, { signal }) {
      const { protocol, port, targetIp, targetPort } = target;
      const wanted = { description: markerOf(id), protocol, port, targetIp, targetPort };
      await configured(opnsense, 'OPNsense').ensureForward(wanted, { signal });
      return { type: 'target.published', opId };
    },
    async 'forward.remove'({ id, opId }, { signal }) {
      const which = { description: markerOf(id) };
      await configured(opnsense, 'OPNsense').removeForwards(which, { signal });
      return { type: 'target.removed', opId };
    },
    async 'proxy.register'({ opId, serverName, address, port }, { signal }) {
      const bridge = configured(velocity, 'Velocity');
      const backend = { serverName, address, port };
      await bridge.register(backend, { signal });
      const found = await bridge.verify(backend, { signal });
      if (found === 'registered' || found === 'unverifiable') {
        return { type: 'proxy.registered', opId, isVerified: found === 'registered' };
      }
      throw new UpstreamError(`the bridge took ${serverName}, and has it ${found}`, {
        reason: `registration_${found}`,
        retryable: true,
      });
    },
    async 'proxy.unregister'({ opId, serverName }, { signal }) {
      await configured(velocity, 'Velocity').unregister(serverName, { signal });
      return { type: 'proxy.unregistered', opId };
    },
  };
}

type DnsKind = 'internal_dns' | 'public_dns';

/** What is in DNS of an instance that is published there. */
export function recordsOf(id: string, target: TargetOf<DnsKind>) {
  const { name, address, service, port } = target;
  const common = { comment: markerOf(id), ttl: TTL_S };
  return {
    host: { ...common, type: 'A' as const, name, content: address },
    service: {
      ...common,
      type: 'SRV' as const,
      name: `${service}.${name}`,
      ...{ target: name, port, priority: 0, weight: 5 },
    },
  };
}

/** The zone may be another one than when the name was planned. */
function explainName(name: string, what: string, error: unknown): never {
  if (!(error instanceof InvalidInputError)) throw error;
  throw new UpstreamError(`${name} is not in the zone of the ${what} any more`, {
    reason: 'not_configured',
    retryable: false,
    cause: error,
  });
}

interface NameEffect {
  readonly id: string;
  readonly opId: string;
  readonly target: TargetOf<DnsKind>;
}

const publishName =
  (client: DnsClient | undefined, what: string) =>
  async ({ id, opId, target }: NameEffect, { signal }: Performance): Promise<ToldEvent> => {
    const dns = configured(client, what);
    const { host, service } = recordsOf(id, target);
    // The address first: a service that leads to a name without one leads nowhere.
    await dns
      .ensureRecord(host, { signal })
      .catch((error: unknown) => explainName(host.name, what, error));
    await dns.ensureRecord(service, { signal });
    return { type: 'target.published', opId };
  };

const removeName =
  (client: DnsClient | undefined, what: string) =>
  async ({ id, opId, target }: NameEffect, { signal }: Performance): Promise<ToldEvent> => {
    const dns = configured(client, what);
    const { host, service } = recordsOf(id, target);
    await dns
      .removeRecords(service, { signal })
      .catch((error: unknown) => explainName(host.name, what, error));
    await dns.removeRecords(host, { signal });
    return { type: 'target.removed', opId };
  };

/**
 * Nothing is written to Traefik: it asks for its routes, which follow from the state that asked
 * for this effect. So it has them, or has them no more, once it was given what came after.
 */
const awaitRouter =
  ({ router, pollMs, routerTimeoutMs }: EdgeOptions, type: 'target.published' | 'target.removed') =>
  async (
    { id, opId }: Pick<NameEffect, 'id' | 'opId'>,
    { signal }: Performance,
  ): Promise<ToldEvent> => {
    const traefik = configured(router, 'Traefik');
    const wanted = await traefik.latestStep(id);
    await poll(async () => ((await traefik.servedUpTo()) ?? -1) >= wanted || null, {
      signal,
      pollMs,
      timeoutMs: routerTimeoutMs,
      failure: { reason: 'router_silent', message: 'Traefik has not asked for its routes' },
    });
    return { type, opId };
  };
