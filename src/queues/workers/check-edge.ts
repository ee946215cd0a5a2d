import type { Reachability } from '../../clients/exchange.ts';
import type { EdgeHealthReports, PartyHealth } from '../../storage/edge-health.ts';

/** By name: how to ask a third party whether it is there. */
export type EdgeChecks = Readonly<
  Record<string, (call: { readonly signal: AbortSignal }) => Promise<Reachability>>
>;

/**
 * Asks every third party of the edge something cheap, all at once: a slow one delays no other.
 * What was wrong last is kept, also when it is well again.
 */
export function createEdgeCheck(options: {
  readonly checks: EdgeChecks;
  readonly reports: EdgeHealthReports;
  readonly now: () => number;
}) {
  const { checks, reports, now } = options;
  return async (shutdown: AbortSignal): Promise<void> => {
    const before = new Map((await reports.latest())?.parties.map((one) => [one.name, one]));
    const parties = await Promise.all(
      Object.entries(checks).map(async ([name, check]): Promise<PartyHealth> => {
        const { ok, latencyMs, reason = null } = await check({ signal: shutdown });
        const checkedAt = new Date(now()).toISOString();
        const lastError = ok
          ? (before.get(name)?.lastError ?? null)
          : { code: reason ?? 'unknown', at: checkedAt };
        return { name, isReachable: ok, latencyMs: Math.round(latencyMs), checkedAt, lastError };
      }),
    );
    await reports.save({ parties });
  };
}
