import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { type Config, randomHardwareAddress } from './config.ts';
import { died } from './errors.ts';
import { readJson, writeJson } from './files.ts';
import type { ContainerProcesses } from './processes.ts';

const record = z.object({
  vmid: z.int(),
  node: z.string(),
  addressOffset: z.int(),
  pool: z.string().optional(),
  /** Whether it shall run: true outlives the end of the stand-in, as onboot does. */
  running: z.boolean(),
  config: z.record(z.string(), z.union([z.string(), z.number()])),
});

export interface Container {
  readonly vmid: number;
  readonly addressOffset: number;
  readonly rootfs: string;
  readonly pool: string | undefined;
  node: string;
  config: Config;
  running: boolean;
  startedAtMs: number;
  processes: ContainerProcesses | undefined;
}

/** All containers of the cluster, each a folder with its record and its disk. */
export interface Containers {
  all(): Container[];
  get(vmid: number): Container | undefined;
  /** The container as this node sees it: another node's is as good as none. */
  on(node: string, vmid: number): Container;
  add(fresh: Pick<Container, 'vmid' | 'node' | 'addressOffset' | 'pool' | 'config'>): Container;
  save(container: Container): void;
  remove(container: Container): void;
}

export function createContainers(dataDir: string): Containers {
  const folder = join(dataDir, 'containers');
  const containers = new Map<number, Container>();
  const folderOf = (vmid: number) => join(folder, String(vmid));

  function save({ vmid, node, addressOffset, pool, running, config }: Container): void {
    writeJson(join(folderOf(vmid), 'container.json'), {
      vmid,
      node,
      addressOffset,
      ...(pool === undefined ? {} : { pool }),
      running,
      config: Object.fromEntries(config),
    });
  }

  function keep(fields: Omit<Container, 'rootfs' | 'startedAtMs' | 'processes'>): Container {
    const rootfs = join(folderOf(fields.vmid), 'rootfs');
    const container = { ...fields, rootfs, startedAtMs: 0, processes: undefined };
    containers.set(fields.vmid, container);
    return container;
  }

  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const known = readJson(join(folder, name, 'container.json'), record);
    if (known) {
      keep({ ...known, pool: known.pool, config: new Map(Object.entries(known.config)) });
    } else {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }

  return {
    all: () => [...containers.values()].sort((a, b) => a.vmid - b.vmid),
    get: (vmid) => containers.get(vmid),
    on(node, vmid) {
      const container = containers.get(vmid);
      if (container?.node === node) return container;
      throw died(`Configuration file 'nodes/${node}/lxc/${vmid}.conf' does not exist`);
    },
    add(fresh) {
      const container = keep({ ...fresh, running: false });
      save(container);
      return container;
    },
    save(container) {
      if (containers.get(container.vmid) === container) save(container);
    },
    remove(container) {
      if (containers.get(container.vmid) !== container) return;
      containers.delete(container.vmid);
      rmSync(folderOf(container.vmid), { recursive: true, force: true });
    },
  };
}

export function templateConfig(vmid: number): Config {
  const hardware = randomHardwareAddress();
  return new Map<string, string | number>([
    ['arch', 'amd64'],
    ['cores', 1],
    ['description', 'ZPack agent template'],
    ['features', 'nesting=1'],
    ['hostname', 'agent-template'],
    ['memory', 512],
    ['net0', `name=eth0,bridge=vmbr3,hwaddr=${hardware},ip=dhcp,type=veth`],
    ['ostype', 'debian'],
    ['rootfs', `ceph:base-${vmid}-disk-0,size=8G`],
    ['swap', 512],
    ['template', 1],
    ['unprivileged', 1],
  ]);
}

export function fillTemplate(rootfs: string): void {
  mkdirSync(join(rootfs, 'etc'), { recursive: true });
  writeFileSync(join(rootfs, 'etc', 'hostname'), 'agent-template\n');
}

export function lockOf(container: Container): string | undefined {
  const lock = container.config.get('lock');
  return lock === undefined ? undefined : String(lock);
}

export function checkLock(container: Container): void {
  const lock = lockOf(container);
  if (lock) throw died(`CT is locked (${lock})`);
}

export function hostnameOf(container: Container): string {
  return String(container.config.get('hostname') ?? `CT${container.vmid}`);
}
