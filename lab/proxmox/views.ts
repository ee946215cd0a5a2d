import type { Cluster } from './cluster.ts';
import { diskSize, parseProperties } from './config.ts';
import { type Container, hostnameOf, lockOf } from './containers.ts';

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;

export function statusOf(cluster: Cluster, container: Container): 'running' | 'stopped' {
  return cluster.power.isRunning(container) ? 'running' : 'stopped';
}

/** What every listing tells about a container. */
export function containerView(cluster: Cluster, container: Container): Record<string, unknown> {
  const { config, vmid } = container;
  const running = cluster.power.isRunning(container);
  const lock = lockOf(container);
  const tags = config.get('tags');
  return {
    vmid,
    name: hostnameOf(container),
    type: 'lxc',
    status: running ? 'running' : 'stopped',
    cpus: Number(config.get('cores') ?? 1),
    cpu: 0,
    maxmem: Number(config.get('memory') ?? 512) * MEBIBYTE,
    mem: running ? 64 * MEBIBYTE : 0,
    maxswap: Number(config.get('swap') ?? 512) * MEBIBYTE,
    swap: 0,
    maxdisk: diskSize(config),
    disk: running ? GIBIBYTE : 0,
    diskread: 0,
    diskwrite: 0,
    netin: 0,
    netout: 0,
    uptime: running ? Math.floor((Date.now() - container.startedAtMs) / 1000) : 0,
    ...(config.get('template') === 1 ? { template: 1 } : {}),
    ...(lock === undefined ? {} : { lock }),
    ...(tags === undefined ? {} : { tags }),
  };
}

/** Of what is on a node that is offline, the others know no more than that it is there. */
const UNKNOWN = { status: 'unknown', cpu: 0, mem: 0, disk: 0, uptime: 0 };

export function resourceViews(cluster: Cluster): Record<string, unknown>[] {
  return cluster.containers.all().map((container) => {
    const { cpus, maxswap: _maxswap, swap: _swap, ...view } = containerView(cluster, container);
    return {
      id: `lxc/${container.vmid}`,
      node: container.node,
      ...view,
      ...(cluster.offline.has(container.node) ? UNKNOWN : {}),
      maxcpu: cpus,
      template: container.config.get('template') === 1 ? 1 : 0,
      ...(container.pool === undefined ? {} : { pool: container.pool }),
    };
  });
}

export function nodeViews(cluster: Cluster): Record<string, unknown>[] {
  return cluster.nodes.map((node) => ({
    id: `node/${node}`,
    type: 'node',
    node,
    status: cluster.offline.has(node) ? 'offline' : 'online',
    level: '',
    cpu: 0.05,
    maxcpu: 16,
    mem: 8 * GIBIBYTE,
    maxmem: 64 * GIBIBYTE,
    disk: 20 * GIBIBYTE,
    maxdisk: 200 * GIBIBYTE,
    uptime: Math.floor((Date.now() - cluster.startedAtMs) / 1000),
  }));
}

export function storageViews(cluster: Cluster): Record<string, unknown>[] {
  return cluster.nodes.map((node) => ({
    id: `storage/${node}/ceph`,
    type: 'storage',
    storage: 'ceph',
    node,
    status: 'available',
    plugintype: 'rbd',
    content: 'images,rootdir',
    shared: 1,
    disk: 100 * GIBIBYTE,
    maxdisk: 2_000 * GIBIBYTE,
  }));
}

interface Interface {
  readonly name: string;
  readonly hwaddr: string;
  readonly 'hardware-address': string;
  readonly inet?: string;
  readonly inet6?: string;
  readonly 'ip-addresses': readonly {
    readonly 'ip-address': string;
    readonly 'ip-address-type': 'inet' | 'inet6';
    readonly prefix: number;
  }[];
}

/** Null while the container is off, as in the original. */
export function interfaceViews(cluster: Cluster, container: Container): Interface[] | null {
  if (!cluster.power.isRunning(container)) return null;
  const loopback = view('lo', '00:00:00:00:00:00', '127.0.0.1/8', '::1/128');
  const network = container.config.get('net0');
  if (network === undefined) return [loopback];
  const properties = parseProperties(String(network));
  const hardware = (properties.get('hwaddr') ?? '').toLowerCase();
  const address = cluster.power.addressOf(container);
  // The link-local address is there at once; whoever waits for IPv4 must not take it for one.
  const local = `fe80::${hardware.split(':').slice(2).join('')}/64`;
  const name = properties.get('name') ?? 'eth0';
  return [loopback, view(name, hardware, address ? `${address}/8` : undefined, local)];
}

function view(name: string, hwaddr: string, inet: string | undefined, inet6: string): Interface {
  const addresses = [
    ...(inet === undefined ? [] : [[inet, 'inet'] as const]),
    [inet6, 'inet6'] as const,
  ];
  return {
    name,
    hwaddr,
    'hardware-address': hwaddr,
    ...(inet === undefined ? {} : { inet }),
    inet6,
    'ip-addresses': addresses.map(([cidr, type]) => {
      const [address = '', prefix] = cidr.split('/');
      return { 'ip-address': address, 'ip-address-type': type, prefix: Number(prefix) };
    }),
  };
}
