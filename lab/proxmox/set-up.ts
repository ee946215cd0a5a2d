import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';

import { type AddressBlock, claimBlock } from './addresses.ts';
import { type Cluster, freeAddressOffset } from './cluster.ts';
import { createContainers, fillTemplate, templateConfig } from './containers.ts';
import { readJson, writeJson } from './files.ts';
import { createConfigLocks } from './locks.ts';
import { DEFAULT_DELAYS, type ProxmoxOptions } from './options.ts';
import { createPower } from './power.ts';
import { createTasks } from './tasks.ts';

const TOKEN_ID = 'zpack@pve!api';

const installation = z.object({ prefix: z.string() });

/**
 * One stand-in per folder: a second one would end the first one's containers as left-overs. The
 * lock is an abstract socket, which the kernel takes back when the process ends.
 */
export async function claimFolder(dataDir: string): Promise<AsyncDisposable> {
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 32);
  const lock = createServer((socket) => socket.destroy());
  lock.listen({ path: `\0zpack-lab-proxmox-${digest}`, exclusive: true });
  try {
    await once(lock, 'listening');
  } catch (cause) {
    throw new Error(`another stand-in runs in ${dataDir}`, { cause });
  }
  return closing(lock);
}

export async function claimAddresses(dataDir: string): Promise<AddressBlock> {
  const path = join(dataDir, 'installation.json');
  const block = await claimBlock(readJson(path, installation)?.prefix);
  writeJson(path, { prefix: block.prefix });
  return block;
}

export function createCluster(
  options: ProxmoxOptions,
  dataDir: string,
  block: AddressBlock,
  abort: AbortController,
): Cluster {
  const delays = { ...DEFAULT_DELAYS, ...options.delays };
  const containers = createContainers(dataDir);
  const log = options.log ?? (() => undefined);
  const { agentToken, agentProgram } = options;
  return {
    nodes: options.nodes ?? ['pve1', 'pve2'],
    offline: new Set(),
    containers,
    power: createPower({
      ...{ containers, block, delays, agentToken, agentProgram, log },
      hasCodeServer: options.codeServer ?? false,
    }),
    tasks: createTasks(dataDir, abort.signal),
    locks: createConfigLocks(delays.lockWaitMs),
    block,
    delays,
    agentFaults: options.agentFaults,
    cloneLocksSource: options.cloneLocksSource ?? true,
    tokenId: TOKEN_ID,
    startedAtMs: Date.now(),
    closing: abort.signal,
  };
}

export function ensureTemplate(cluster: Cluster, vmid: number): void {
  if (cluster.containers.get(vmid)) return;
  const [node = 'pve1'] = cluster.nodes;
  const template = cluster.containers.add({
    vmid,
    node,
    addressOffset: freeAddressOffset(cluster),
    pool: undefined,
    config: templateConfig(vmid),
  });
  fillTemplate(template.rootfs);
}

/** What onboot does after a power failure, and the one repair that nobody is there to make. */
export function resume(cluster: Cluster): void {
  for (const container of cluster.containers.all()) {
    // The source of a clone that was cut off: an operator would run `pct unlock` on it.
    if (container.config.get('lock') === 'disk') {
      container.config.delete('lock');
      cluster.containers.save(container);
    }
    if (container.running) cluster.power.start(container);
  }
}

function closing(server: Server): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}
