import { setTimeout as sleep } from 'node:timers/promises';

import type { Cluster, Origin } from '../cluster.ts';
import {
  completeNetwork,
  digestOf,
  diskSize,
  parseProperties,
  parseSize,
  printProperties,
  printSize,
} from '../config.ts';
import { type Container, checkLock } from '../containers.ts';
import { badParameters, died } from '../errors.ts';

interface Changes {
  readonly set: ReadonlyMap<string, string | number>;
  readonly delete: readonly string[];
  readonly digest: string | undefined;
}

/** The one write that is no task: it waits for the lock inside the request and answers null. */
export async function configure(
  cluster: Cluster,
  container: Container,
  changes: Changes,
): Promise<null> {
  if (changes.set.size === 0 && changes.delete.length === 0) throw died('no options specified');
  for (const key of changes.delete) {
    if (!changes.set.has(key)) continue;
    const text = `you can't use '-${key}' and -delete ${key}' at the same time`;
    throw badParameters({ delete: text });
  }
  const set = [...changes.set].map(
    ([key, value]) =>
      [key, /^net\d+$/.test(key) ? completeNetwork(key, String(value)) : value] as const,
  );
  await cluster.locks.hold(container.vmid, cluster.closing, async () => {
    cluster.containers.on(container.node, container.vmid);
    checkLock(container);
    checkDigest(container, changes.digest);
    await sleep(cluster.delays.configureMs);
    for (const key of changes.delete) container.config.delete(key);
    for (const [key, value] of set) container.config.set(key, value);
    cluster.containers.save(container);
  });
  return null;
}

export function resize(
  cluster: Cluster,
  origin: Origin,
  container: Container,
  order: { disk: string; size: string; digest: string | undefined },
): string {
  const check = (): number => {
    checkLock(container);
    checkDigest(container, order.digest);
    const size = diskSize(container.config, order.disk);
    const added = order.size.startsWith('+');
    const wanted = parseSize(added ? order.size.slice(1) : order.size) + (added ? size : 0);
    if (wanted < size) throw died('unable to shrink disk size');
    if (wanted === size) throw died('disk is already at specified size');
    return wanted;
  };
  check();
  return cluster.tasks.fork(
    { ...origin, type: 'resize', id: String(container.vmid) },
    async (work) => {
      await cluster.locks.hold(container.vmid, work.signal, async () => {
        const wanted = check();
        await work.sleep(cluster.delays.resizeMs);
        await work.effect(() => {
          const disk = parseProperties(String(container.config.get(order.disk) ?? ''));
          disk.set('size', printSize(wanted));
          container.config.set(order.disk, printProperties(disk));
          cluster.containers.save(container);
        });
      });
    },
  );
}

function checkDigest(container: Container, digest: string | undefined): void {
  if (digest === undefined || digest === digestOf(container.config)) return;
  throw died('detected modified configuration - file changed by other user? Try again.');
}
