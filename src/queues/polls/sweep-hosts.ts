import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import type { ContainerResource } from '../../clients/proxmox/reads.ts';
import type { ContainerCounts } from '../../storage/cluster-nodes.ts';
import type { KeptJson } from '../../storage/kept-json.ts';
import type { LiveFeed } from '../../storage/live-feed.ts';
import type { PollTargets } from '../../storage/poll-targets.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { isNews, listedAs } from './host-news.ts';
import { createHostLooks } from './look-at-host.ts';
import { endsWithin } from './slots.ts';
import type { Tell } from './tell.ts';
import { createTroubles } from './trouble.ts';

export interface HostSweepOptions {
  readonly targets: Pick<PollTargets, 'listHosts'>;
  readonly proxmox: Pick<
    ProxmoxClient,
    'listContainers' | 'readConfig' | 'readStatus' | 'listAddresses'
  >;
  readonly live: Pick<LiveFeed, 'publish'>;
  readonly counts: Pick<KeptJson<ContainerCounts>, 'save'>;
  readonly tell: Tell;
  readonly now: () => number;
  readonly logger: Logger;
}

/** A node that takes longer does not keep the next sweep waiting. */
const PATIENCE_MS = 1_000;

/**
 * Compares the whole cluster with our rows by one list. Whatever differs is looked at on its own
 * node: the list alone changes nothing. A list that does not come says nothing of any container.
 */
export function createHostSweep(options: HostSweepOptions) {
  const { targets, proxmox, live, counts, now, logger } = options;
  const { look } = createHostLooks(options);
  const troubles = createTroubles(logger, 'containers could not be looked at');

  return async (shutdown: AbortSignal): Promise<void> => {
    // Rows first: one that a call of ours has changed since is left to the next sweep.
    const hosts = await targets.listHosts();
    const entries = await proxmox.listContainers();
    const listed = new Map(entries.map((entry) => [entry.vmid, entry]));
    const observedAt = now();
    // Of what is not ours, or not known to be, the numbers are nobody's business.
    const numbers = hosts.flatMap(({ vmid, power }) => {
      const entry = power === 'absent' ? undefined : listed.get(vmid);
      if (!entry && power !== 'absent') return [];
      return [[vmid, { observedAt, ...numbersOf(entry) }] as const];
    });
    const silent = new Set<string>();
    const looks = hosts
      .map((target) => ({ target, listed: listed.get(target.vmid) }))
      .filter(({ target, listed: entry }) => target.needsAddress || isNews(target, listedAs(entry)))
      .map((subject) => troubles.collect(look(subject, silent, shutdown)));
    live.publish({ agents: [], hosts: numbers });
    counts
      .save(countsOf(entries, observedAt))
      .catch((err: unknown) => logger.warn({ err }, 'cannot keep how many containers there are'));
    await endsWithin(Promise.all(looks), PATIENCE_MS);
    troubles.log();
  };
}

function countsOf(entries: readonly ContainerResource[], at: number): ContainerCounts {
  const byNode = Map.groupBy(
    entries.filter(({ template }) => !template),
    ({ node }) => node,
  );
  const counted = [...byNode].map(([node, all]) => {
    const running = all.filter(({ status }) => status === 'running').length;
    return [node, { running, all: all.length }] as const;
  });
  return { countedAt: new Date(at).toISOString(), nodes: Object.fromEntries(counted) };
}

/** None of what is not there: but that has been found out, and when. */
const numbersOf = (entry: ContainerResource | undefined) => ({
  cpu: entry?.cpu ?? null,
  mem: entry?.mem ?? null,
  maxmem: entry?.maxmem ?? null,
  disk: entry?.disk ?? null,
  uptime: entry?.uptime ?? null,
});
