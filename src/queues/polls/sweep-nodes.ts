import type { ProxmoxClient } from '../../clients/proxmox/client.ts';
import type { ClusterNode } from '../../clients/proxmox/reads.ts';
import { UpstreamError } from '../../errors.ts';
import type { ClusterReport, SightedNode } from '../../storage/cluster-nodes.ts';
import type { KeptJson } from '../../storage/kept-json.ts';

/** A node that the cluster has lost is shown as long as that may be a fault. */
const UNLISTED_KEPT_MS = 3_600_000;

const UNSEEN = { onlineAt: null, cpu: null, maxcpu: null, mem: null, maxmem: null, uptime: null };

/**
 * Keeps what Proxmox says of its nodes, for whoever asks us. Of one that is not online the numbers
 * stay those of when it was; a cluster that does not answer says nothing of any node.
 */
export function createNodeSweep(options: {
  readonly proxmox: Pick<ProxmoxClient, 'listNodes'>;
  readonly reports: KeptJson<ClusterReport>;
  readonly now: () => number;
}) {
  const { proxmox, reports, now } = options;
  return async (): Promise<void> => {
    const before = (await reports.latest()) ?? { checkedAt: null, nodes: [], lastError: null };
    const { nodes, lastError } = before;
    try {
      const listed = await proxmox.listNodes();
      const at = now();
      const checkedAt = new Date(at).toISOString();
      await reports.save({ checkedAt, nodes: merge(nodes, listed, at), lastError });
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      const at = new Date(now()).toISOString();
      await reports.save({ ...before, lastError: { code: error.reason, at } });
    }
  };
}

function merge(
  before: readonly SightedNode[],
  listed: readonly ClusterNode[],
  at: number,
): readonly SightedNode[] {
  const known = new Map(before.map((one) => [one.name, one]));
  const found = listed.map(({ isOnline, ...node }): SightedNode => {
    if (isOnline) return { ...node, state: 'online', onlineAt: new Date(at).toISOString() };
    return { ...UNSEEN, ...known.get(node.name), name: node.name, state: 'offline' };
  });
  const names = new Set(listed.map(({ name }) => name));
  const lost = before
    .filter(({ name }) => !names.has(name))
    .filter(({ onlineAt }) => onlineAt !== null && at - Date.parse(onlineAt) < UNLISTED_KEPT_MS)
    .map((node): SightedNode => ({ ...node, state: 'unlisted' }));
  return [...found, ...lost].toSorted((a, b) => (a.name < b.name ? -1 : 1));
}
