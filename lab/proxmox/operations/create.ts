import { type Cluster, checkVmidUnused, freeAddressOffset, type Origin } from '../cluster.ts';
import type { Config } from '../config.ts';
import { fillTemplate } from '../containers.ts';

interface CreateOrder {
  readonly vmid: number;
  readonly config: Config;
  readonly pool: string | undefined;
  readonly start: boolean;
}

export async function create(
  cluster: Cluster,
  origin: Origin,
  order: CreateOrder,
): Promise<string> {
  checkVmidUnused(cluster, order.vmid);
  const { config } = order;
  config.set('lock', 'create');
  if (!config.has('unprivileged')) config.set('unprivileged', 1);
  if (!config.has('rootfs')) config.set('rootfs', `ceph:vm-${order.vmid}-disk-0,size=4G`);
  const fresh = cluster.containers.add({
    vmid: order.vmid,
    node: origin.node,
    addressOffset: freeAddressOffset(cluster),
    pool: order.pool,
    config,
  });
  return cluster.tasks.fork(
    { ...origin, type: 'vzcreate', id: String(order.vmid) },
    async (work) => {
      try {
        await work.sleep(cluster.delays.createMs);
        await work.effect(() => {
          fillTemplate(fresh.rootfs);
          config.delete('lock');
          cluster.containers.save(fresh);
          if (order.start) cluster.power.start(fresh);
        });
      } catch (error) {
        const half = config.get('lock') === 'create';
        if (half && !cluster.closing.aborted) cluster.containers.remove(fresh);
        throw error;
      }
    },
  );
}
