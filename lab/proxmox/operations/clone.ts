import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { type Cluster, checkVmidUnused, freeAddressOffset, type Origin } from '../cluster.ts';
import { type Config, completeNetwork, parseProperties, printProperties } from '../config.ts';
import { type Container, checkLock, hostnameOf } from '../containers.ts';
import { died } from '../errors.ts';
import { PlannedFailure, type Work } from '../tasks.ts';

interface CloneOrder {
  readonly newid: number;
  readonly full: boolean | undefined;
  readonly hostname: string | undefined;
  readonly description: string | undefined;
  readonly pool: string | undefined;
  readonly snapname: string | undefined;
  readonly storage: string | undefined;
  readonly target: string | undefined;
}

/**
 * The new container exists from the first moment, locked, on the source's node; it moves to the
 * target at the end. The source is locked meanwhile. The task carries the source's number.
 */
export async function clone(
  cluster: Cluster,
  origin: Origin,
  source: Container,
  order: CloneOrder,
): Promise<string> {
  const { target, newid } = order;
  if (target !== undefined && !cluster.nodes.includes(target)) {
    throw died(`no such cluster node '${target}'`);
  }
  await lockSource(cluster, source);
  const fresh = orUnlockSource(cluster, source, () => {
    checkVmidUnused(cluster, newid);
    checkOrder(cluster, source, order);
    return cluster.containers.add({
      vmid: newid,
      node: source.node,
      addressOffset: freeAddressOffset(cluster),
      pool: order.pool,
      config: configOfClone(source, order),
    });
  });
  return cluster.tasks.fork(
    { ...origin, node: source.node, type: 'vzclone', id: String(source.vmid) },
    (work) => copy(cluster, source, fresh, order, work),
  );
}

async function lockSource(cluster: Cluster, source: Container): Promise<void> {
  if (!cluster.cloneLocksSource) return checkLock(source);
  await cluster.locks.hold(source.vmid, cluster.closing, async () => {
    checkLock(source);
    source.config.set('lock', 'disk');
    cluster.containers.save(source);
  });
}

function unlockSource(cluster: Cluster, source: Container): void {
  if (!cluster.cloneLocksSource) return;
  source.config.delete('lock');
  cluster.containers.save(source);
}

function orUnlockSource<T>(cluster: Cluster, source: Container, work: () => T): T {
  try {
    return work();
  } catch (error) {
    unlockSource(cluster, source);
    throw error;
  }
}

function checkOrder(cluster: Cluster, source: Container, order: CloneOrder): void {
  const full = isFull(source, order);
  if (order.storage !== undefined && !full) {
    throw died("parameter 'storage' not allowed for linked clones");
  }
  if (order.snapname !== undefined) throw died(`snapshot '${order.snapname}' does not exist`);
  if (full && cluster.power.isRunning(source)) {
    throw died('Cannot do full clones on a running container without snapshots');
  }
  if (!full && source.config.get('template') !== 1) {
    const volume = parseProperties(String(source.config.get('rootfs'))).get('') ?? 'rootfs';
    throw died(`Linked clone feature for '${volume}' is not available`);
  }
}

/** A template is linked to unless a copy is asked for. */
function isFull(source: Container, { full }: CloneOrder): boolean {
  return full ?? source.config.get('template') !== 1;
}

function configOfClone(source: Container, order: CloneOrder): Config {
  const config: Config = new Map();
  for (const [key, value] of source.config) {
    if (key === 'template' || key === 'lock' || /^(rootfs|mp\d+|unused\d+)$/.test(key)) continue;
    config.set(key, /^net\d+$/.test(key) ? withNewHardwareAddress(key, String(value)) : value);
  }
  config.set('lock', 'create');
  if (order.hostname) config.set('hostname', order.hostname);
  if (order.description) config.set('description', order.description);
  return config;
}

function withNewHardwareAddress(key: string, text: string): string {
  const properties = parseProperties(text);
  properties.delete('hwaddr');
  return completeNetwork(key, printProperties(properties));
}

async function copy(
  cluster: Cluster,
  source: Container,
  fresh: Container,
  order: CloneOrder,
  work: Work,
): Promise<void> {
  const disk = parseProperties(String(source.config.get('rootfs')));
  try {
    const how = isFull(source, order) ? 'full clone of mountpoint' : 'linked clone of mount point';
    work.log(`create ${how} rootfs (${disk.get('')})`);
    await work.sleep(cluster.delays.cloneMs);
    await work.effect(() => {
      checkStillOurs(cluster, fresh);
      copyDisk(cluster, source, fresh);
      disk.set('', `${order.storage ?? 'ceph'}:vm-${fresh.vmid}-disk-0`);
      fresh.config.set('rootfs', printProperties(disk));
      finish(cluster, fresh, order);
    });
  } catch (error) {
    // Cut off by the end of the process: both locks stay, as they would after a power failure.
    if (cluster.closing.aborted) throw error;
    if (error instanceof PlannedFailure && fresh.config.get('lock') !== 'create') throw error;
    cluster.containers.remove(fresh);
    if (error instanceof PlannedFailure) throw error;
    throw new Error(`clone failed: ${error instanceof Error ? error.message : String(error)}`);
  } finally {
    if (!cluster.closing.aborted) unlockSource(cluster, source);
  }
}

function checkStillOurs(cluster: Cluster, fresh: Container): void {
  const ours =
    cluster.containers.get(fresh.vmid) === fresh && fresh.config.get('lock') === 'create';
  if (!ours) throw new Error("Lost 'create' config lock, aborting.");
}

function copyDisk(cluster: Cluster, source: Container, fresh: Container): void {
  cpSync(source.rootfs, fresh.rootfs, { recursive: true });
  mkdirSync(join(fresh.rootfs, 'etc'), { recursive: true });
  writeFileSync(join(fresh.rootfs, 'etc', 'hostname'), `${hostnameOf(fresh)}\n`);
  if (cluster.agentFaults) {
    const text = JSON.stringify(cluster.agentFaults, null, 2);
    writeFileSync(join(fresh.rootfs, 'agent-faults.json'), text);
  }
}

function finish(cluster: Cluster, fresh: Container, order: CloneOrder): void {
  fresh.config.delete('lock');
  fresh.node = order.target ?? fresh.node;
  cluster.containers.save(fresh);
}
