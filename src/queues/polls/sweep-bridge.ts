import {
  type RegisteredServer,
  registrationOf,
  type VelocityClient,
} from '../../clients/velocity/client.ts';
import type { EdgeTargets, ProxyTarget } from '../../storage/edge-targets.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Tell } from './tell.ts';

export interface BridgeSweepOptions {
  readonly targets: Pick<EdgeTargets, 'listProxied' | 'filterArchivedNames'>;
  readonly velocity: Pick<VelocityClient, 'status' | 'unregister'>;
  readonly tell: Tell;
  /** Has it stepped since this version? */
  readonly isUnchanged: (target: ProxyTarget) => Promise<boolean>;
  readonly logger: Logger;
}

const LEADING: ReadonlySet<string | null> = new Set([
  'registered',
  'ping_ok',
  'ping_failed',
  'unverifiable',
]);

/**
 * Compares what the bridge lists with what our actors believe. The bridge forgets everything when
 * its proxy restarts: whoever is missing registers again. A name that leads to an instance of ours
 * which does not want it, or lives no more, is taken back; names that were never ours are not
 * touched.
 */
export function createBridgeSweep(options: BridgeSweepOptions) {
  const { targets, velocity, tell, isUnchanged, logger } = options;

  async function compare(target: ProxyTarget, servers: readonly RegisteredServer[]) {
    const { serverName, address, port, state } = target;
    if (!LEADING.has(state) || address === null || port === null) return;
    const registration = registrationOf({ serverName, address, port }, servers);
    const isNews = registration !== 'registered' || state === 'unverifiable';
    if (registration === 'unverifiable' || !isNews) return;
    await tell(target, { type: 'proxy.observed', registration, address, port });
  }

  async function listUnwanted(
    before: readonly ProxyTarget[],
    servers: readonly RegisteredServer[],
  ): Promise<readonly string[]> {
    const ours = new Map(before.map((target) => [target.serverName.toLowerCase(), target]));
    const unknown = servers.map(({ name }) => name).filter((name) => !ours.has(name.toLowerCase()));
    const idle = servers.flatMap(({ name }) => ours.get(name.toLowerCase()) ?? []);
    const unwanted = idle.filter(({ state, address }) => state === 'none' && address === null);
    const stillUnwanted: string[] = [];
    for (const target of unwanted) {
      if (await isUnchanged(target)) stillUnwanted.push(target.serverName);
    }
    return [...stillUnwanted, ...(await targets.filterArchivedNames(unknown))];
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    // Rows first: what a call of ours has changed since is left to the next sweep.
    const before = await targets.listProxied();
    const { servers } = await velocity.status({ signal: shutdown });
    // An older bridge lists nothing, so nothing is known to be missing.
    if (servers === null) return;
    for (const target of before) await compare(target, servers);
    for (const name of await listUnwanted(before, servers)) {
      shutdown.throwIfAborted();
      await velocity.unregister(name, { signal: shutdown });
      logger.warn({ server: name }, 'the bridge had a name that leads nowhere');
    }
  };
}
