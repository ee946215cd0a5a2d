import type { EdgePlan, ProxyRecord, ProxyReport } from './edge-types.ts';
import type { InstanceContext, Payload } from './types.ts';

/** What guards and actions of edge and proxy both have to ask. */

/** Rounds of removal that a deletion waits for. A reconciler goes on where it stops. */
const REMOVALS_MAX = 2;

/** A report that is older by more than this has not been on its way so long: a clock was set. */
const ORDER_WINDOW_MS = 10 * 60_000;

export const mayEndUnpaid = (attempts: number): boolean => attempts >= REMOVALS_MAX;

/** Members in any order: a stored plan comes back in the order of the database. */
export function isSamePlan({ edge, proxy }: Payload, plan: EdgePlan): boolean {
  if (edge === null) return false;
  const now = edge.targets.map(({ spec }) => spec);
  const isSameProxy =
    proxy?.serverName === plan.proxy?.serverName && proxy?.backendPort === plan.proxy?.backendPort;
  return isSameProxy && canonical(now) === canonical(plan.targets);
}

const canonical = (specs: readonly object[]): string =>
  specs
    .map((spec) => JSON.stringify(Object.entries(spec).sort(([a], [b]) => (a < b ? -1 : 1))))
    .sort()
    .join();

/** Does the name lead elsewhere than to where the container is now? */
export function isStale({ ip, payload: { proxy } }: InstanceContext): boolean {
  const { registration = null } = proxy ?? {};
  return registration !== null && registration.address !== ip;
}

/** Is it about an earlier registration, or older than what was heard of this one? */
export function isLate(proxy: ProxyRecord | null, report: ProxyReport): boolean {
  const { registration = null } = proxy ?? {};
  if (registration === null) return true;
  if (report.address !== registration.address || report.port !== registration.port) return true;
  const heard = proxy?.heardUntil ?? null;
  if (heard === null || report.reportedAt === null) return false;
  const olderMs = heard - report.reportedAt;
  return olderMs > 0 && olderMs < ORDER_WINDOW_MS;
}
