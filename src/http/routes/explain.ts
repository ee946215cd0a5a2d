import { z } from 'zod';

import type { Stored, StoredSnapshot } from '../../actors/store.ts';
import { NotFoundError } from '../../errors.ts';
import { explainWishes } from '../../machines/instance/wishes.ts';
import type { History } from '../../storage/history.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { entryView, viewEntry, viewWhy, viewWish, whyView, wishView } from '../history-view.ts';
import { createLifeFinder, type LifeDependencies, lifeQuery } from '../lives.ts';
import { requireEntry, vmidParam } from './servers.ts';

const PAGE_MAX = 200;
const PAGE_DEFAULT = 50;

const historyQuery = lifeQuery.extend({
  before: z.coerce.number().int().min(1).optional().describe('Only entries older than this seq'),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(PAGE_DEFAULT),
});

export interface ExplainDependencies extends LifeDependencies {
  readonly history: History;
  /** Brings a stored state up to the machine that explains it. */
  readonly upgrade: (stored: Stored) => StoredSnapshot;
}

const params = z.object({ id: vmidParam });
const base = { tag: 'servers', method: 'get', params, body: nothing } as const;

/** Why is it so, since when, and what would change it? Read off the machine and the journal. */
export function explainEndpoints(dependencies: ExplainDependencies): readonly AnyEndpoint[] {
  return [historyEndpoint(dependencies), whyEndpoint(dependencies), actionsEndpoint(dependencies)];
}

function historyEndpoint({ history, ...lives }: ExplainDependencies): AnyEndpoint {
  const findLife = createLifeFinder(lives);
  return endpoint({
    ...base,
    operationId: 'getServerHistory',
    summary: 'Everything that happened to a server, the latest first',
    path: '/api/servers/:id/history',
    query: historyQuery,
    replies: {
      200: z.object({
        instance: z.string(),
        entries: z.array(entryView),
        nextBefore: z.number().int().nullable().describe('`before` of the next page; null: none'),
      }),
    },
    problems: ['invalid_input', 'unauthenticated', 'not_found'],
    async handle({ params: { id: vmid }, query: { before = null, limit, instance }, principal }) {
      const id = await findLife(vmid, instance, principal);
      const found = await history.read(id, { before, limit: limit + 1 });
      const entries = found.slice(0, limit).map(viewEntry);
      const nextBefore = found.length > limit ? (entries.at(-1)?.seq ?? null) : null;
      return { status: 200, body: { instance: id, entries, nextBefore } };
    },
  });
}

function whyEndpoint({ find, history, upgrade }: ExplainDependencies): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: 'explainServer',
    summary: 'Why a server is in its state, what it waits for, and what happens next',
    path: '/api/servers/:id/why',
    query: nothing,
    replies: { 200: whyView },
    problems: ['invalid_input', 'unauthenticated', 'not_found', 'unavailable'],
    async handle({ params: { id: vmid }, principal }) {
      const { id } = await requireEntry(find, vmid, principal);
      const evidence = await history.explain(id);
      if (!evidence) throw new NotFoundError(`there is no container ${vmid}`);
      const snapshot = upgrade(evidence);
      return { status: 200, body: viewWhy(vmid, { ...evidence, snapshot }) };
    },
  });
}

function actionsEndpoint({ find }: ExplainDependencies): AnyEndpoint {
  return endpoint({
    ...base,
    operationId: 'explainServerActions',
    summary: 'What may be asked of a server, and why the rest may not',
    path: '/api/servers/:id/actions',
    query: nothing,
    replies: { 200: z.object({ actions: z.array(wishView) }) },
    problems: ['invalid_input', 'unauthenticated', 'not_found'],
    async handle({ params: { id: vmid }, principal }) {
      const { state } = await requireEntry(find, vmid, principal);
      return { status: 200, body: { actions: explainWishes(state).map(viewWish) } };
    },
  });
}
