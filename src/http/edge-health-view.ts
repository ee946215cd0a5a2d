import { z } from 'zod';

import type { EdgeHealthReport } from '../storage/edge-health.ts';
import type { RouterSighting } from '../storage/router-sights.ts';

export const edgeHealthView = z
  .object({
    ok: z.boolean().describe('Every party was reachable when it was last looked at'),
    parties: z.array(
      z.object({
        name: z.string(),
        reachable: z.boolean().nullable().describe('null: nobody has looked yet'),
        latencyMs: z.number().nullable().describe('null: it is not we who ask, or nobody has'),
        checkedAt: z.iso.datetime().nullable(),
        ageMs: z.number().nullable().describe('Since it was last looked at, or has asked us'),
        lastError: z
          .object({ code: z.string(), at: z.iso.datetime() })
          .nullable()
          .describe('The latest, also when it is well again'),
      }),
    ),
  })
  .meta({ id: 'EdgeHealth' });

export type EdgeHealth = z.input<typeof edgeHealthView>;
type Party = EdgeHealth['parties'][number];

const UNSEEN = { latencyMs: null, checkedAt: null, ageMs: null, lastError: null };

function partyOf(name: string, report: EdgeHealthReport | null, now: number): Party {
  const found = report?.parties.find((one) => one.name === name);
  if (!found) return { name, reachable: null, ...UNSEEN };
  const { isReachable: reachable, latencyMs, checkedAt, lastError } = found;
  const ageMs = Math.max(0, now - Date.parse(checkedAt));
  return { name, reachable, latencyMs, checkedAt, ageMs, lastError };
}

/** Traefik asks us, and not we it: it is there as long as it goes on asking. */
function routerOf(sighting: RouterSighting | null, timeoutMs: number, now: number): Party {
  if (!sighting) return { name: 'router', reachable: false, ...UNSEEN };
  const ageMs = Math.max(0, now - sighting.at);
  const checkedAt = new Date(sighting.at).toISOString();
  return { ...UNSEEN, name: 'router', reachable: ageMs < timeoutMs, checkedAt, ageMs };
}

/** `names`: the parties that are configured. What is not, is not in the answer. */
export function viewEdgeHealth(seen: {
  readonly names: readonly string[];
  readonly report: EdgeHealthReport | null;
  /** undefined: Traefik is not configured. */
  readonly router:
    | { readonly sighting: RouterSighting | null; readonly timeoutMs: number }
    | undefined;
  readonly now: number;
}): EdgeHealth {
  const { names, report, router, now } = seen;
  const parties = [
    ...names.map((name) => partyOf(name, report, now)),
    ...(router ? [routerOf(router.sighting, router.timeoutMs, now)] : []),
  ];
  return { ok: parties.every(({ reachable }) => reachable === true), parties };
}
