import type { OperationRecord } from '../machines/instance/operations.ts';
import type { PrismaClient } from './generated/client.ts';

/** Operations of instances, also those that have ended long ago. Written by the steps alone. */
export interface Operations {
  find(instanceId: string, id: string): Promise<OperationRecord | null>;
  /** The latest first; `after`: the id of the last one of the page before. */
  list(
    instanceId: string,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly OperationRecord[]>;
}

export function createOperations(prisma: PrismaClient): Operations {
  return {
    async find(instanceId, id) {
      const row = await prisma.operation.findUnique({
        where: { instanceId_id: { instanceId, id } },
      });
      return row && (row.record as unknown as OperationRecord);
    },
    async list(instanceId, { limit, after }) {
      const rows = await prisma.operation.findMany({
        where: { instanceId },
        orderBy: [{ acceptedAt: 'desc' }, { id: 'desc' }],
        take: limit,
        ...(after !== undefined && {
          cursor: { instanceId_id: { instanceId, id: after } },
          skip: 1,
        }),
      });
      return rows.map(({ record }) => record as unknown as OperationRecord);
    },
  };
}
