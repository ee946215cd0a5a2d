import type { AddressBlock } from './addresses.ts';
import type { Containers } from './containers.ts';
import { ApiError, died } from './errors.ts';
import type { ConfigLocks } from './locks.ts';
import type { Delays, ProxmoxOptions } from './options.ts';
import type { Power } from './power.ts';
import type { TaskFault, Tasks } from './tasks.ts';

/** Everything an operation may touch. */
export interface Cluster {
  readonly nodes: readonly string[];
  /** Nodes that do not answer. What runs on them goes on, as it does behind a broken switch. */
  readonly offline: Set<string>;
  readonly containers: Containers;
  readonly power: Power;
  readonly tasks: Tasks;
  readonly locks: ConfigLocks;
  readonly block: AddressBlock;
  readonly delays: Delays;
  readonly agentFaults: ProxmoxOptions['agentFaults'] | undefined;
  readonly cloneLocksSource: boolean;
  readonly tokenId: string;
  readonly startedAtMs: number;
  readonly closing: AbortSignal;
}

/** Who asks, and what shall go wrong with the task that the asking begins. */
export interface Origin {
  readonly node: string;
  readonly user: string;
  readonly fault: TaskFault | undefined;
}

export function checkNode(cluster: Cluster, node: string): void {
  if (cluster.offline.has(node)) throw new ApiError(595, 'No route to host');
  if (cluster.nodes.includes(node)) return;
  const reason = `failed to get address info for: ${node}: Name or service not known`;
  throw died(`hostname lookup '${node}' failed - ${reason}`);
}

export function checkVmidUnused(cluster: Cluster, vmid: number): void {
  const taken = cluster.containers.get(vmid);
  if (taken) throw died(`CT ${vmid} already exists on node '${taken.node}'`);
}

export function freeAddressOffset({ block, containers }: Cluster): number {
  return block.freeOffset(new Set(containers.all().map((one) => one.addressOffset)));
}

export function nextVmid(cluster: Cluster): number {
  for (let vmid = 100; vmid < 1_000_000; vmid += 1) {
    if (!cluster.containers.get(vmid)) return vmid;
  }
  throw new ApiError(500, 'unable to get any free VMID in range [100, 1000000]');
}
