import type { StoredSnapshot } from '../actors/store.ts';
import type { InstanceState } from '../machines/instance/status.ts';
import type { PrismaClient } from './generated/client.ts';
import { joinColumns } from './snapshot-columns.ts';

/** An instance as its row has it. */
export interface Instance {
  readonly id: string;
  readonly vmid: number;
  readonly version: number;
  readonly state: InstanceState;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface ArchivedInstance {
  readonly id: string;
  readonly vmid: number;
  readonly customerId: string;
  readonly deletedAt: Date;
}

/** What routes read of instances. Never asks Proxmox or an agent. */
export interface Instances {
  findByVmid(vmid: number): Promise<Instance | null>;
  /** By VMID. `customerId: null`: everybody's. */
  list(customerId: string | null): Promise<readonly Instance[]>;
  /** The VMIDs of all instances that live. */
  listVmids(): Promise<readonly number[]>;
  /** Which of these instances have lived with us, and live no more. */
  filterArchived(ids: readonly string[]): Promise<readonly string[]>;
  /** Former lives of a VMID, the latest first. */
  listArchived(vmid: number): Promise<readonly ArchivedInstance[]>;
}

const SELECT = {
  id: true,
  vmid: true,
  version: true,
  snapshot: true,
  payload: true,
  createdAt: true,
  updatedAt: true,
} as const;

interface Row extends Omit<Instance, 'state'> {
  readonly snapshot: unknown;
  readonly payload: unknown;
}

function toInstance(row: Row): Instance {
  const { snapshot, ...rest } = joinColumns({ ...row, snapshot: row.snapshot as StoredSnapshot });
  return { ...rest, state: snapshot as unknown as InstanceState };
}

export function createInstances(prisma: PrismaClient): Instances {
  return {
    async findByVmid(vmid) {
      const row = await prisma.containerInstance.findUnique({ where: { vmid }, select: SELECT });
      return row && toInstance(row);
    },
    async list(customerId) {
      const rows = await prisma.containerInstance.findMany({
        where: customerId === null ? {} : { customerId },
        orderBy: { vmid: 'asc' },
        select: SELECT,
      });
      return rows.map(toInstance);
    },
    async listVmids() {
      const rows = await prisma.containerInstance.findMany({ select: { vmid: true } });
      return rows.map(({ vmid }) => vmid);
    },
    async filterArchived(ids) {
      const where = { id: { in: [...ids] } };
      const rows = await prisma.deletedInstance.findMany({ where, select: { id: true } });
      return rows.map(({ id }) => id);
    },
    listArchived: (vmid) =>
      prisma.deletedInstance.findMany({
        where: { vmid },
        orderBy: { deletedAt: 'desc' },
        select: { id: true, vmid: true, customerId: true, deletedAt: true },
      }),
  };
}
