import type { PrismaClient } from './generated/client.ts';
import { inTransaction } from './transaction.ts';

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

/** With every price that it was ever sold for. */
export interface ListedPlan extends Plan {
  readonly priceIds: readonly string[];
}

export interface Plans {
  /** From the smallest. */
  list(): Promise<readonly ListedPlan[]>;
  /** Whoever has bought it for another price before goes on paying that. */
  upsert(plan: Plan): Promise<void>;
}

export function createPlans(prisma: PrismaClient): Plans {
  return {
    async list() {
      const [plans, prices] = await Promise.all([
        prisma.plan.findMany({ orderBy: { position: 'asc' } }),
        prisma.planPrice.findMany(),
      ]);
      return plans.map((plan) => ({
        ...plan,
        priceIds: prices.filter(({ planId }) => planId === plan.id).map(({ id }) => id),
      }));
    },
    upsert: ({ id, ...plan }) =>
      inTransaction(prisma, 'write a plan', async (transaction) => {
        await transaction.plan.upsert({ where: { id }, create: { id, ...plan }, update: plan });
        const { stripePriceId: price } = plan;
        if (price === null) return;
        await transaction.planPrice.upsert({
          ...{ where: { id: price }, create: { id: price, planId: id }, update: { planId: id } },
        });
      }),
  };
}
