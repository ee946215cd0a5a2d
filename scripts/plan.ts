import { parseArgs } from 'node:util';

import { openDatabase } from '../src/storage/database.ts';
import { createPlans } from '../src/storage/plans.ts';

/**
 * Creates a plan or changes it.
 *
 *   npm run plan -- --id small --name Small --slots 2 --memory-mib 4096 \
 *     --price-cents 500 --currency usd --stripe-price price_123 --position 1
 *   npm run plan -- --id free --name Free --slots 1 --memory-mib 2048 --position 0 --default
 */
const { values } = parseArgs({
  options: {
    id: { type: 'string' },
    name: { type: 'string' },
    slots: { type: 'string' },
    'memory-mib': { type: 'string' },
    'price-cents': { type: 'string', default: '0' },
    currency: { type: 'string', default: 'usd' },
    'stripe-price': { type: 'string' },
    position: { type: 'string' },
    default: { type: 'boolean', default: false },
  },
});
const { id, name, currency, default: isDefault } = values;
const { DATABASE_URL: url } = process.env;
const count = (option: string | undefined) =>
  /^\d+$/.test(option ?? '') ? Number(option) : Number.NaN;
const amounts = {
  slots: count(values.slots),
  memoryMiB: count(values['memory-mib']),
  priceCents: count(values['price-cents']),
  position: count(values.position),
};
if (!id || !name || !url || Object.values(amounts).some(Number.isNaN)) {
  throw new Error(
    'needed: --id, --name, --slots, --memory-mib, --position as whole numbers, DATABASE_URL',
  );
}
const stripePriceId = values['stripe-price'] ?? null;
if (isDefault === (stripePriceId !== null)) {
  throw new Error('needed: either --stripe-price, or --default for whoever pays nothing');
}
await using database = openDatabase({
  url,
  connectionsMax: 1,
  onError: (error) => console.error(error.message),
});
await createPlans(database.prisma).upsert({
  ...{ id, name, currency, isDefault, stripePriceId },
  ...amounts,
});
console.log(`plan ${name} is ready`);
