import { isIPv4 } from 'node:net';
import { z } from 'zod';

import { failedBecause } from './failure.ts';
import { readData, type Transport } from './transport.ts';

/** A container and the node it is on now. */
export interface Place {
  readonly node: string;
  readonly vmid: number;
}

export interface ContainerResource extends Place {
  readonly name: string | null;
  /** `unknown` while its node is offline. */
  readonly status: 'running' | 'stopped' | 'unknown';
  /** Why Proxmox refuses changes at the moment: `backup`, `create`, `migrate`, … */
  readonly lock: string | null;
  readonly template: boolean;
  readonly tags: readonly string[];
  /** Share of its cores in use, 0 to 1. This and the following are null where not reported. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly mem: number | null;
  readonly maxmem: number | null;
  readonly disk: number | null;
  /** Seconds. */
  readonly uptime: number | null;
}

export interface ContainerConfig {
  readonly hostname: string | null;
  readonly description: string | null;
  readonly lock: string | null;
  /** Changes with every change of the configuration. */
  readonly digest: string;
  readonly cores: number | null;
  readonly memoryMiB: number;
  readonly net0: string | null;
  readonly tags: readonly string[];
  readonly template: boolean;
  readonly onboot: boolean;
  readonly protection: boolean;
}

/** A node of the cluster, as the one that was asked knows it. */
export interface ClusterNode {
  readonly name: string;
  readonly isOnline: boolean;
  /** Share of its cores in use, 0 to 1. This and the following are null where not reported. */
  readonly cpu: number | null;
  readonly maxcpu: number | null;
  /** Bytes. */
  readonly mem: number | null;
  readonly maxmem: number | null;
  /** Seconds. */
  readonly uptime: number | null;
}

interface ContainerStatus {
  readonly status: 'running' | 'stopped';
  readonly lock: string | null;
  readonly cpu: number | null;
  readonly mem: number | null;
  readonly maxmem: number | null;
  readonly disk: number | null;
  readonly uptime: number | null;
}

/** All throw UpstreamError with a reason of failure.ts, and change nothing. */
export interface ContainerReads {
  /** Every container of the cluster, in one call. A fresh one may be missing for some seconds. */
  listContainers(): Promise<ContainerResource[]>;
  /** Every node of the cluster, in one call. Numbers only where the token may audit it. */
  listNodes(): Promise<ClusterNode[]>;
  /** The only way to learn a container's node. */
  findContainer(vmid: number): Promise<ContainerResource | null>;
  /** Free at the moment of asking: no container and no virtual machine of that number. */
  isVmidFree(vmid: number): Promise<boolean>;
  /** null: there is no such container on that node. */
  readConfig(place: Place): Promise<ContainerConfig | null>;
  /** null: there is no such container on that node. */
  readStatus(place: Place): Promise<ContainerStatus | null>;
  /** The IPv4 addresses of all interfaces but the loopback one; none while it is stopped. */
  listAddresses(place: Place): Promise<string[]>;
}

const flag = z.coerce.number().transform(Boolean).default(false);
const number = z.coerce.number().nullable().default(null);
const text = z.string().nullable().default(null);
const tags = z
  .string()
  .default('')
  .transform((value) => value.split(/[;,\s]+/).filter(Boolean));

const guest = z.object({ type: z.string(), vmid: z.coerce.number().optional() });
const container = z.object({
  vmid: z.coerce.number(),
  node: z.string(),
  name: text,
  status: z.enum(['running', 'stopped', 'unknown']).catch('unknown'),
  lock: text,
  template: flag,
  tags,
  cpu: number,
  mem: number,
  maxmem: number,
  disk: number,
  uptime: number,
});
const node = z
  .object({
    ...{ node: z.string(), status: z.string().default('unknown') },
    ...{ cpu: number, maxcpu: number, mem: number, maxmem: number, uptime: number },
  })
  .transform(({ node: name, status, ...numbers }) => ({
    ...{ name, isOnline: status === 'online', ...numbers },
  }));
const current = container
  .pick({ lock: true, cpu: true, mem: true, maxmem: true, disk: true, uptime: true })
  .extend({ status: z.enum(['running', 'stopped']) });

const config = z
  .object({
    hostname: text,
    description: text,
    lock: text,
    digest: z.string(),
    cores: number,
    memory: z.coerce.number().default(512),
    net0: text,
    tags,
    template: flag,
    onboot: flag,
    protection: flag,
  })
  .transform(({ memory, description, ...rest }) => ({
    ...rest,
    memoryMiB: memory,
    // Proxmox keeps it as comment lines and hands it back with a line end of its own.
    description: description?.replace(/\n$/, '') ?? null,
  }));

const networkInterface = z.object({
  name: z.string(),
  inet: z.string().optional(),
  'ip-addresses': z
    .array(z.object({ 'ip-address': z.string().optional() }))
    .nullable()
    .optional(),
});

const path = ({ node, vmid }: Place) => `/nodes/${encodeURIComponent(node)}/lxc/${vmid}`;

export function createReads(transport: Transport): ContainerReads {
  async function list<T extends z.ZodType>(type: 'vm' | 'node', one: T): Promise<z.output<T>[]> {
    const what = '/cluster/resources';
    const answer = await transport.call({ method: 'GET', path: what, parameters: { type } });
    return readData(z.array(one), answer, what);
  }

  const listGuests = (): Promise<unknown[]> => list('vm', z.unknown());

  async function listContainers(): Promise<ContainerResource[]> {
    const rows = (await listGuests()).filter((row) => guest.safeParse(row).data?.type === 'lxc');
    const answer = { data: rows, total: undefined };
    return readData(z.array(container), answer, '/cluster/resources');
  }

  async function read<T extends z.ZodType>(schema: T, what: string): Promise<z.output<T> | null> {
    try {
      return readData(schema, await transport.call({ method: 'GET', path: what }), what);
    } catch (error) {
      if (failedBecause(error, 'container_missing')) return null;
      throw error;
    }
  }

  return {
    listContainers,
    listNodes: () => list('node', node),
    async findContainer(vmid) {
      return (await listContainers()).find((one) => one.vmid === vmid) ?? null;
    },
    async isVmidFree(vmid) {
      // Neither is trusted alone: the list lags behind by seconds and shows only what the token
      // may see, and nextid reserves nothing, it only says what its own table held.
      const rows = await listGuests();
      if (rows.some((row) => guest.safeParse(row).data?.vmid === vmid)) return false;
      try {
        await transport.call({ method: 'GET', path: '/cluster/nextid', parameters: { vmid } });
        return true;
      } catch (error) {
        if (failedBecause(error, 'vmid_taken')) return false;
        throw error;
      }
    },
    readConfig: (place) => read(config, `${path(place)}/config`),
    readStatus: (place) => read(current, `${path(place)}/status/current`),
    async listAddresses(place) {
      const what = `${path(place)}/interfaces`;
      const interfaces = (await read(z.array(networkInterface).nullable(), what)) ?? [];
      const found = interfaces
        .filter(({ name }) => name !== 'lo')
        .flatMap((one) => [
          one.inet?.split('/')[0],
          ...(one['ip-addresses'] ?? []).map((entry) => entry['ip-address']),
        ]);
      return [...new Set(found.filter((ip): ip is string => ip !== undefined && isIPv4(ip)))];
    },
  };
}
