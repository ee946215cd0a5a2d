import type { PrismaClient } from './generated/client.ts';

export interface Plan {
  readonly id: string;
  readonly name: string;
  /** Containers at a time. */
  readonly slots: number;
  /** Of all containers together. */
  readonly memoryMiB: number;
  readonly priceCents: number;
  readonly currency: string;
  /** null: it costs nothing. */
  readonly stripePriceId: string | null;
  /** Upgrades lead to a higher position. */
  readonly position: number;
  /** What whoever pays nothing has. */
  readonly isDefault: boolean;
}

export interface Plans {
  /** From the smallest. */
  list(): Promise<readonly Plan[]>;
  upsert(plan: Plan): Promise<void>;
}

export function createPlans(prisma: PrismaClient): Plans {
  return {
    list: () => prisma.plan.findMany({ orderBy: { position: 'asc' } }),
    async upsert({ id, ...plan }) {
      await prisma.plan.upsert({ where: { id }, create: { id, ...plan }, update: plan });
    },
  };
}
