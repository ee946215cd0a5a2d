import type { AskOperation } from '../http/ask-operation.ts';
import { viewEdgeHealth } from '../http/edge-health-view.ts';
import type { PlanEdge } from '../http/edge-plan.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { createProxyReporting } from '../http/proxy-report.ts';
import { createRouteText } from '../http/route-text.ts';
import { dnsEndpoints } from '../http/routes/dns.ts';
import { edgeEndpoints } from '../http/routes/edge.ts';
import type { AwaitOperation } from '../http/routes/operations.ts';
import { traefikEndpoints } from '../http/routes/traefik.ts';
import { velocityEndpoints } from '../http/routes/velocity.ts';
import { createEdgeHealthReports } from '../storage/edge-health.ts';
import { createDnsComparison, createSights, type EdgeParts, namesOfParties } from './edge.ts';
import type { View } from './view.ts';

interface Asking {
  readonly ask: AskOperation;
  readonly awaitOperation: AwaitOperation;
  readonly planEdge: PlanEdge;
}

/** How instances become known outside: for administrators, for the bridge and for Traefik. */
export function createEdgeEndpoints(
  parts: EdgeParts,
  { find, fleet, tail }: Pick<View, 'find' | 'fleet' | 'tail'>,
  asking: Asking,
): readonly AnyEndpoint[] {
  const { actors, config, edge, logger, now, redis } = parts;
  const { velocity, traefik, reportsPerS } = config.edge;
  const sights = createSights(parts);
  const reports = createEdgeHealthReports(redis, config.redis.prefix);
  const names = namesOfParties(edge);
  async function health() {
    const [report, sighting] = await Promise.all([
      reports.latest(),
      traefik ? sights.latest() : null,
    ]);
    const router = traefik && { sighting, timeoutMs: traefik.pollTimeoutMs };
    return viewEdgeHealth({ names, report, router, now: now() });
  }
  return [
    ...edgeEndpoints({ find, health, ...asking }),
    ...dnsEndpoints({ compare: createDnsComparison(parts) }),
    ...velocityEndpoints({
      report: createProxyReporting({ find, actors }),
      secret: velocity?.secret,
      reportsPerS,
    }),
    ...traefikEndpoints({
      routeText: createRouteText(fleet),
      sights,
      seq: tail.seq,
      token: traefik?.token,
      now,
      onError: (err) => logger.warn({ err }, 'cannot keep what Traefik was given'),
    }),
  ];
}
