import type { ContainerResource } from '../../clients/proxmox/reads.ts';
import type { Power } from '../../machines/instance/types.ts';
import type { HostTarget } from '../../storage/poll-targets.ts';

export interface HostSighting {
  readonly power: Power;
  /** null with `absent`. */
  readonly node: string | null;
  readonly lock: string | null;
}

export const ABSENT: HostSighting = { power: 'absent', node: null, lock: null };

/** What the cluster's list says of a container. */
export const listedAs = (entry: ContainerResource | undefined): HostSighting =>
  entry ? { power: entry.status, node: entry.node, lock: entry.lock } : ABSENT;

/** The same question as the machine's, so that old news never reaches an actor. */
export function isNews(target: HostTarget, seen: HostSighting): boolean {
  if (target.power === null) return false;
  if (seen.power !== target.power) return true;
  // Of a container that nobody sees there is nothing else to say.
  if (seen.power === 'absent' || seen.power === 'unknown') return false;
  return seen.lock !== target.lock || seen.node !== target.node;
}
