import { migrate } from '../actors/memory.ts';
import type { AnyEndpoint } from '../http/endpoint.ts';
import { explainEndpoints } from '../http/routes/explain.ts';
import { definitions } from '../machines/index.ts';
import { createHistory } from '../storage/history.ts';
import { createInstances } from '../storage/instances.ts';
import type { Foundation } from './foundation.ts';
import type { View } from './view.ts';

type InsightParts = Pick<Foundation, 'database'>;

/** What explains the rest: to customers, to operators and to their monitoring. */
export function createInsightEndpoints(
  { database }: InsightParts,
  { find }: Pick<View, 'find'>,
): readonly AnyEndpoint[] {
  return explainEndpoints({
    find,
    history: createHistory(database.pool),
    instances: createInstances(database.prisma),
    upgrade: (stored) => migrate(definitions.instance, stored).snapshot,
  });
}
