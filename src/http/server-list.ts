import { z } from 'zod';

import type { Fleet, FleetEntry } from '../view/fleet.ts';
import type { Principal } from './auth/principal.ts';

const LIMIT_MAX = 1_000;

export const listQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(LIMIT_MAX)
    .optional()
    .describe('Servers of a page. Without it, all of them'),
  cursor: z.coerce.number().int().min(0).optional().describe('`nextCursor` of the page before'),
  status: z.string().min(1).max(200).optional().describe('Only in this status, or these, by comma'),
  category: z.enum(['GAME', 'DEV']).optional(),
  q: z
    .string()
    .trim()
    .toLowerCase()
    .min(1)
    .max(100)
    .optional()
    .describe('Part of the name, IP address, VMID or runtime'),
});

export type ListQuery = z.output<typeof listQuery>;

export interface Page {
  readonly entries: readonly FleetEntry[];
  /** undefined: nobody asked for a page. null: this is the last one. */
  readonly nextCursor: string | null | undefined;
}

export const ownerOf = ({ role, userId }: Principal): string | null =>
  role === 'admin' ? null : userId;

/** `statusOf`: the word that is shown, so that nobody finds what he did not look for. */
export function selectPage(
  { fleet, statusOf }: { fleet: Fleet; statusOf: (entry: FleetEntry) => string },
  principal: Principal,
  query: ListQuery,
): Page {
  const { limit, cursor = 0 } = query;
  const matches = matcherOf(query, statusOf);
  const found = fleet.select({
    customerId: ownerOf(principal),
    afterVmid: cursor,
    // One more than asked for says whether there is another page.
    ...(limit !== undefined && { limit: limit + 1 }),
    ...(matches && { matches }),
  });
  if (limit === undefined) return { entries: found, nextCursor: undefined };
  const entries = found.slice(0, limit);
  const last = entries.at(-1);
  return { entries, nextCursor: found.length > limit && last ? String(last.vmid) : null };
}

function matcherOf(
  { status, category, q }: ListQuery,
  statusOf: (entry: FleetEntry) => string,
): ((entry: FleetEntry) => boolean) | null {
  const words = status?.split(',').map((word) => word.trim());
  if (!words && !category && !q) return null;
  const ctype = category === 'GAME' ? 'game' : 'dev';
  return (entry) => {
    const { vmid, state } = entry;
    const { context } = state;
    if (category && context.ctype !== ctype) return false;
    if (q) {
      const { game, runtime } = context.payload;
      const texts = [context.hostname, context.ip, String(vmid), game ?? runtime];
      if (!texts.some((text) => text?.toLowerCase().includes(q))) return false;
    }
    return !words || words.includes(statusOf(entry));
  };
}
