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
  /** false: it has stepped since. */
  readonly isUnchanged: (target: ProxyTarget) => Promise<boolean>;
  readonly logger: Logger;
}

/** After a restart of the bridge all are missing: together they are told in fewer commits. */
const TOLD_AT_ONCE = 32;

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

  /** Asked anew of each name right before it goes: it may have been registered since it was seen. */
  async function isUnwanted(name: string, target: ProxyTarget | undefined): Promise<boolean> {
    if (!target) return (await targets.filterArchivedNames([name])).length > 0;
    return target.state === 'none' && target.address === null && (await isUnchanged(target));
  }

  /** What may have to go, by what was known before. */
  async function listSuspects(
    before: readonly ProxyTarget[],
    servers: readonly RegisteredServer[],
  ): Promise<readonly (readonly [string, ProxyTarget | undefined])[]> {
    const ours = new Map(before.map((target) => [target.serverName.toLowerCase(), target]));
    const unknown = servers.map(({ name }) => name).filter((name) => !ours.has(name.toLowerCase()));
    const archived = await targets.filterArchivedNames(unknown);
    const living = servers.flatMap(({ name }) => {
      const target = ours.get(name.toLowerCase());
      return target ? [[name, target] as const] : [];
    });
    return [...living, ...archived.map((name) => [name, undefined] as const)];
  }

  return async (shutdown: AbortSignal): Promise<void> => {
    // Rows first: what a call of ours has changed since is left to the next sweep.
    const before = await targets.listProxied();
    const { servers } = await velocity.status({ signal: shutdown });
    // An older bridge lists nothing, so nothing is known to be missing.
    if (servers === null) return;
    for (let i = 0; i < before.length; i += TOLD_AT_ONCE) {
      shutdown.throwIfAborted();
      const some = before.slice(i, i + TOLD_AT_ONCE);
      await Promise.all(some.map((target) => compare(target, servers)));
    }
    for (const [name, target] of await listSuspects(before, servers)) {
      shutdown.throwIfAborted();
      if (!(await isUnwanted(name, target))) continue;
      await velocity.unregister(name, { signal: shutdown });
      logger.warn({ server: name }, 'the bridge had a name that leads nowhere');
    }
  };
}
