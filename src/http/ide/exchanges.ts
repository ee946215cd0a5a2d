import { ControlPlaneError } from '../../errors.ts';
import type { Roles } from '../../storage/credentials.ts';
import type { Fleet } from '../../view/fleet.ts';
import { maySee } from '../auth/principal.ts';
import { createPulse, type EndReason, type Staying } from '../pulse.ts';

/** Sessions and owners are looked at this often: whoever loses an IDE is out of it so soon. */
const RECHECK_MS = 2_000;

/** One request or WebSocket on its way to a container. */
export interface Exchange extends Staying {
  /** For whatever reason: a browser is told by the next request. */
  end(why?: EndReason): void;
  readonly vmid: number;
  readonly instanceId: string;
}

export interface Exchanges {
  /**
   * Counts it, and ends it when it may not go on.
   * @returns what is to be called when it is over
   * @throws ControlPlaneError `limit_exceeded`
   */
  enter(exchange: Exchange): () => void;
  count(): number;
}

export interface ExchangeOptions {
  readonly limits: {
    readonly perContainer: number;
    readonly perAccount: number;
    readonly perNode: number;
  };
  readonly findRoles: (credentialIds: readonly string[], at: Date) => Promise<Roles>;
  readonly fleet: Pick<Fleet, 'get'>;
  readonly now: () => number;
  /** Ends all of them when this node does. */
  readonly closing: AbortSignal;
}

/** All that is on its way, bounded for each container and account: none takes all the places. */
export function createExchanges(options: ExchangeOptions): Exchanges {
  const { limits, findRoles, fleet, now, closing } = options;
  const open = new Set<Exchange>();
  const counts = new Map<string, number>();
  const add = (key: string, change: 1 | -1) => {
    const count = (counts.get(key) ?? 0) + change;
    if (count === 0) counts.delete(key);
    else counts.set(key, count);
  };
  const pulse = createPulse({
    ...{ clients: open, findRoles, now },
    limits: { heartbeatMs: RECHECK_MS, recheckMs: RECHECK_MS },
    beat: endLost,
  });

  /** The container has gone, or is somebody else's now. */
  function endLost(): void {
    for (const exchange of open) {
      const { vmid, instanceId, principal } = exchange;
      const entry = fleet.get(vmid);
      if (entry?.id !== instanceId || !maySee(principal, entry.customerId)) exchange.end();
    }
  }

  closing.addEventListener('abort', () => {
    for (const exchange of open) exchange.end();
  });

  return {
    count: () => open.size,
    enter(exchange) {
      const { vmid, principal } = exchange;
      const places = [
        [`of container ${vmid}`, limits.perContainer],
        [`of account ${principal.userId}`, limits.perAccount],
      ] as const;
      for (const [whose, max] of places) {
        if ((counts.get(whose) ?? 0) >= max) throw tooMany(whose, max);
      }
      if (open.size >= limits.perNode) throw tooMany('of all containers', limits.perNode);
      for (const [whose] of places) add(whose, 1);
      open.add(exchange);
      pulse.start();
      if (closing.aborted) exchange.end();
      return () => {
        if (!open.delete(exchange)) return;
        for (const [whose] of places) add(whose, -1);
        if (open.size === 0) pulse.stop();
      };
    },
  };
}

const tooMany = (whose: string, max: number) =>
  new ControlPlaneError('limit_exceeded', `${max} connections ${whose} are open already`);
