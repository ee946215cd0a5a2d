import { z } from 'zod';

import type { ActorSystem } from '../actors/system.ts';
import { NotFoundError } from '../errors.ts';
import type { ProxyRecord, ProxyReport } from '../machines/instance/edge-types.ts';
import type { InstanceContext } from '../machines/instance/types.ts';
import type { FindEntry } from '../view/entry.ts';

const NAME_MAX = 253;
const DETAIL_MAX = 500;
const DATE_MAX_MS = 8.64e15;

/** As the bridge posts it. A member without a value may be left out, or be null. */
export const proxyReportBody = z
  .object({
    status: z.enum(['registered_with_proxy', 'proxy_ping_ok', 'proxy_ping_failed']),
    server_name: z.string().min(1).max(NAME_MAX),
    address: z.string().min(1).max(NAME_MAX),
    port: z.int().min(1).max(65_535),
    duplicate: z.boolean().nullish(),
    latency_ms: z.number().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
    detail: z.string().max(DETAIL_MAX).nullish(),
    timestamp: z
      .union([z.iso.datetime({ offset: true }), z.int().min(0).max(DATE_MAX_MS)], {
        error: 'expected a date of ISO 8601 with its zone, or Unix ms',
      })
      .nullish()
      .describe('ISO 8601 or Unix ms, by the clock of the bridge'),
  })
  .meta({ id: 'ProxyReport' });

/** `late`: it was about an earlier registration, so it is kept and changes nothing. */
export type ReportOutcome = 'applied' | 'duplicate' | 'late';

/** The name of a server is its host name, which ends in its VMID. */
const VMID = /-(\d{3,9})$/;

function toReport(body: z.output<typeof proxyReportBody>, serverName: string): ProxyReport {
  const { status, address, port, duplicate, latency_ms, detail, timestamp } = body;
  return {
    status,
    serverName,
    address,
    port,
    duplicate: duplicate ?? false,
    latencyMs: latency_ms ?? null,
    detail: detail ?? null,
    reportedAt: timestamp == null ? null : new Date(timestamp).getTime(),
  };
}

/** What of a report is kept as it came. */
const KEPT = ['status', 'address', 'port', 'latencyMs', 'detail', 'reportedAt'] as const;

/** What has become of it, by the state that it led to: it is the latest that either place holds. */
function outcomeOf({ report, late }: ProxyRecord, sent: ProxyReport): ReportOutcome {
  const isSent = (kept: ProxyReport | null) => KEPT.every((name) => kept?.[name] === sent[name]);
  const isLater = (late?.receivedAt ?? 0) > (report?.receivedAt ?? 0);
  if (isSent(late) && (isLater || !isSent(report))) return 'late';
  return report?.duplicate ? 'duplicate' : 'applied';
}

/** Tells the actor what the bridge says of it. @throws NotFoundError nothing of ours has that name */
export function createProxyReporting({
  find,
  actors,
}: {
  readonly find: FindEntry;
  readonly actors: Pick<ActorSystem, 'ask'>;
}) {
  const unknown = () => new NotFoundError('there is no server of this name');

  async function requireProxied(name: string) {
    const vmid = VMID.exec(name)?.[1];
    const entry = vmid === undefined ? null : await find(Number(vmid));
    const serverName = entry?.state.context.payload.proxy?.serverName;
    if (!entry || serverName?.toLowerCase() !== name.toLowerCase()) throw unknown();
    return { id: entry.id, serverName };
  }

  return async (body: z.output<typeof proxyReportBody>): Promise<ReportOutcome> => {
    const { id, serverName } = await requireProxied(body.server_name);
    const report = toReport(body, serverName);
    // An ask, though it is a fact: it answers with the very state that this report led to, while
    // what is read after a telling may be the work of the next one. Only the end of the actor can
    // refuse it, since every report is at least counted.
    const address = { kind: 'instance', id };
    const asked = await actors.ask(address, { type: 'proxy.reported', ...report });
    const { proxy } = (asked.snapshot.context as InstanceContext).payload;
    if (asked.outcome === 'refused' || proxy === null) throw unknown();
    return outcomeOf(proxy, report);
  };
}
