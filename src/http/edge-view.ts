import { z } from 'zod';

import { type Connection, describeConnection } from '../machines/instance/connection.ts';
import type { ProxyReport } from '../machines/instance/edge-types.ts';
import { type InstanceState, nameOf, type Unseen } from '../machines/instance/status.ts';

/** What clients see of edge and proxy: where an instance is known, and the way players take. */

const date = z.iso.datetime();
const failureView = z.object({ code: z.string(), message: z.string() });
const portNumber = z.number().int();

const targetView = z
  .object({
    kind: z.enum(['internal_dns', 'public_dns', 'router', 'forward']),
    state: z.enum(['absent', 'publishing', 'published', 'failed', 'removing', 'stuck', 'owed']),
    since: date,
    failure: failureView.nullable(),
    name: z.string().nullable().describe('The name, of a DNS target'),
    protocol: z.string().nullable(),
    port: portNumber.describe('The port that players connect to'),
  })
  .meta({ id: 'EdgeTarget' });

export const edgeView = z
  .object({
    state: z.string(),
    isWanted: z.boolean().describe('false: an administrator has taken it off'),
    targets: z.array(targetView),
  })
  .meta({ id: 'Edge', description: 'Where the instance is known outside' });

const reportView = z.object({
  status: z.string(),
  serverName: z.string(),
  address: z.string(),
  port: portNumber,
  duplicate: z.boolean(),
  latencyMs: z.number().nullable(),
  detail: z.string().nullable(),
  reportedAt: date.nullable().describe('By the clock of the bridge'),
  receivedAt: date,
});

export const proxyView = z
  .object({
    state: z.string(),
    source: z
      .enum(['velocity', 'api'])
      .describe('Who said the latest: the bridge, or we ourselves'),
    status: z.string().nullable().describe('The latest report about this registration'),
    serverName: z.string(),
    address: z.string().nullable().describe('Where the name leads; null: nowhere'),
    port: portNumber.nullable(),
    duplicate: z.boolean(),
    latencyMs: z.number().nullable(),
    detail: z.string().nullable(),
    registeredAt: date.nullable(),
    reportedAt: date.nullable().describe('By the clock of the bridge'),
    pingedAt: date.nullable(),
    lastEventAt: date.nullable(),
    reports: z.number().int(),
    duplicates: z.number().int(),
    lateReports: z.number().int().describe('Those about an earlier registration'),
    lastLate: reportView.nullable(),
    forgotten: z.number().int().describe('How often the bridge had forgotten it'),
    failure: failureView.nullable(),
  })
  .meta({ id: 'Proxy', description: 'What Velocity knows of the instance' });

export const connectionView = z
  .object({
    verdict: z.enum([
      ...(['connectable', 'starting', 'not_registered'] as const),
      ...(['backend_unreachable', 'unpublished', 'unknown'] as const),
    ]),
    hops: z.array(
      z.object({
        hop: z.enum(['edge', 'velocity', 'ping', 'agent']),
        state: z.enum(['ok', 'pending', 'failed', 'unknown']),
        evidence: z.string(),
        observedAt: date.nullable(),
      }),
    ),
  })
  .meta({ id: 'Connection', description: 'Can players of a Minecraft server join it?' });

const toDate = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

export function viewEdge({ value, context }: InstanceState): z.input<typeof edgeView> | null {
  const { edge } = context.payload;
  if (edge === null) return null;
  return {
    state: nameOf(value['edge']),
    isWanted: edge.isWanted,
    targets: edge.targets.map(({ spec, state, since, failure }) => ({
      kind: spec.kind,
      state,
      since: new Date(since).toISOString(),
      failure,
      name: 'name' in spec ? spec.name : null,
      protocol: 'protocol' in spec ? spec.protocol : null,
      port: spec.port,
    })),
  };
}

const viewReport = ({
  receivedAt,
  reportedAt,
  ...report
}: ProxyReport & { receivedAt: number }) => ({
  ...report,
  reportedAt: toDate(reportedAt),
  receivedAt: new Date(receivedAt).toISOString(),
});

export function viewProxy({ value, context }: InstanceState): z.input<typeof proxyView> | null {
  const { proxy } = context.payload;
  if (proxy === null) return null;
  const { serverName, registration, report, pingedAt, counts, late, forgotten, failure } = proxy;
  const lastEventAt = Math.max(report?.receivedAt ?? 0, late?.receivedAt ?? 0);
  return {
    state: nameOf(value['proxy']),
    source: report ? 'velocity' : 'api',
    status: report?.status ?? null,
    serverName,
    address: registration?.address ?? null,
    port: registration?.port ?? null,
    duplicate: report?.duplicate ?? false,
    latencyMs: report?.latencyMs ?? null,
    detail: report?.detail ?? null,
    registeredAt: toDate(registration?.since ?? null),
    reportedAt: toDate(report?.reportedAt ?? null),
    pingedAt: toDate(pingedAt),
    lastEventAt: toDate(lastEventAt || null),
    reports: counts.reports,
    duplicates: counts.duplicates,
    lateReports: counts.late,
    lastLate: late && viewReport(late),
    forgotten,
    failure,
  };
}

const viewHops = ({ verdict, hops }: Connection): z.input<typeof connectionView> => ({
  verdict,
  hops: hops.map((hop) => ({ ...hop, observedAt: toDate(hop.observedAt) })),
});

export function viewConnection(state: InstanceState, unseen?: Unseen) {
  const connection = describeConnection(state, unseen);
  return connection && viewHops(connection);
}
