import type { Database } from '../../src/storage/database.ts';
import { createPlans, type Plan } from '../../src/storage/plans.ts';

const PLANS = [
  { id: 'small', name: 'Small', slots: 1, memoryMiB: 1_024, priceCents: 500, position: 1 },
  { id: 'medium', name: 'Medium', slots: 2, memoryMiB: 2_048, priceCents: 1_000, position: 2 },
  { id: 'large', name: 'Large', slots: 4, memoryMiB: 4_096, priceCents: 2_000, position: 3 },
];

/** What the stand-in of Stripe sells, as plans of ours. */
export async function sellPlans({ prisma }: Pick<Database, 'prisma'>): Promise<void> {
  const plans = createPlans(prisma);
  for (const plan of PLANS) {
    const rest = { currency: 'eur', stripePriceId: `price_${plan.id}`, isDefault: false };
    await plans.upsert({ ...plan, ...rest } satisfies Plan);
  }
}
