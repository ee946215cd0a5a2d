import { type Cluster, freeAddressOffset } from './cluster.ts';
import { type Container, hostnameOf, lockOf } from './containers.ts';
import { groupMembers } from './processes.ts';
import { statusOf } from './views.ts';

export interface ContainerSnapshot {
  readonly vmid: number;
  readonly node: string;
  readonly status: 'running' | 'stopped';
  readonly hostname: string;
  readonly description: string | undefined;
  readonly lock: string | undefined;
  readonly ip: string | undefined;
  readonly pids: readonly number[];
  readonly rootfs: string;
}

/** What people do on the command line behind everybody's back. */
export interface ByHand {
  containers(): ContainerSnapshot[];
  /** A stopped container that somebody made on the first node. */
  make(vmid: number, fields?: { description?: string }): void;
  migrate(vmid: number, node: string): void;
  powerOff(vmid: number): Promise<void>;
  /** Configuration, disk and processes are gone. */
  vanish(vmid: number): Promise<void>;
  setLock(vmid: number, lock: string | null): void;
  /** The node does not answer until it is online again. */
  setOffline(node: string, isOffline: boolean): void;
  /** Holds the file lock of a configuration until it is disposed of. */
  holdConfigLock(vmid: number): Promise<Disposable>;
}

export function createByHand(cluster: Cluster): ByHand {
  const { containers, power, locks, closing } = cluster;

  function known(vmid: number): Container {
    const container = containers.get(vmid);
    if (!container) throw new Error(`there is no container ${vmid}`);
    return container;
  }

  return {
    containers: () => snapshots(cluster),
    make(vmid, { description } = {}) {
      const [node = ''] = cluster.nodes;
      const config = new Map<string, string | number>([
        ['hostname', `by-hand-${vmid}`],
        ['memory', 512],
        ...(description === undefined ? [] : [['description', description] as const]),
      ]);
      const addressOffset = freeAddressOffset(cluster);
      containers.add({ vmid, node, addressOffset, pool: undefined, config });
    },
    migrate(vmid, node) {
      const container = known(vmid);
      container.node = node;
      containers.save(container);
    },
    powerOff: (vmid) => power.kill(known(vmid)),
    async vanish(vmid) {
      const container = known(vmid);
      await power.kill(container);
      containers.remove(container);
    },
    setLock(vmid, lock) {
      const container = known(vmid);
      if (lock === null) container.config.delete('lock');
      else container.config.set('lock', lock);
      containers.save(container);
    },
    setOffline(node, isOffline) {
      if (isOffline) cluster.offline.add(node);
      else cluster.offline.delete(node);
    },
    holdConfigLock: (vmid) => locks.take(vmid, closing),
  };
}

function snapshots(cluster: Cluster): ContainerSnapshot[] {
  const members = groupMembers();
  return cluster.containers.all().map((container) => {
    const description = container.config.get('description');
    return {
      vmid: container.vmid,
      node: container.node,
      status: statusOf(cluster, container),
      hostname: hostnameOf(container),
      description: description === undefined ? undefined : String(description),
      lock: lockOf(container),
      ip: cluster.power.addressOf(container),
      pids: members.get(container.processes?.groupId ?? -1) ?? [],
      rootfs: container.rootfs,
    };
  });
}
