import { z } from 'zod';

import type { Moment } from '../../actors/replay.ts';
import { NotFoundError } from '../../errors.ts';
import { describeStatus, type InstanceState } from '../../machines/instance/status.ts';
import { explainWishes } from '../../machines/instance/wishes.ts';
import type { History, HistoryEntry } from '../../storage/history.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import {
  entryView,
  regionView,
  viewEntry,
  viewRegions,
  viewWish,
  wishView,
} from '../history-view.ts';
import { createLifeFinder, type LifeDependencies, lifeQuery } from '../lives.ts';
import type { Lost, Moments } from '../moments.ts';
import { redact } from '../redact.ts';
import { stillConditionView } from '../server-view.ts';
import { vmidParam } from './servers.ts';

const LOST: Readonly<Record<Lost, string>> = {
  other_machine:
    'another version of the machine made these steps, and the one of today makes others',
  too_long: 'this is too far from the beginning of the instance to go through all of it again',
};

const momentView = z
  .object({
    vmid: z.number().int(),
    instance: z.string(),
    entry: entryView.describe('The step that led to this moment'),
    lost: z
      .object({ code: z.enum(['other_machine', 'too_long']), message: z.string() })
      .nullable()
      .describe('Why the rest is not known, and null; the states of `entry` are'),
    status: z.string().nullable().describe('One word for it, as the status had then'),
    regions: z.array(regionView).nullable(),
    conditions: z.array(stillConditionView.meta({ id: 'PastCondition' })).nullable(),
    actions: z.array(wishView).nullable().describe('What could be asked of it then'),
    context: z
      .record(z.string(), z.unknown())
      .nullable()
      .describe('What the machine remembered; for administrators only'),
  })
  .meta({ id: 'Moment' });

export interface MomentDependencies extends LifeDependencies {
  readonly history: Pick<History, 'steps'>;
  readonly moments: Moments;
}

/** Any moment of a life, made again from its journal. */
export function momentEndpoint({ history, moments, ...lives }: MomentDependencies): AnyEndpoint {
  const findLife = createLifeFinder(lives);
  return endpoint({
    tag: 'servers',
    method: 'get',
    operationId: 'getServerMoment',
    summary: 'A server as it was after one of its steps',
    path: '/api/servers/:id/moments/:revision',
    params: z.object({
      id: vmidParam,
      revision: z.coerce
        .number()
        .int()
        .min(1)
        .max(2 ** 31 - 1),
    }),
    query: lifeQuery,
    body: nothing,
    replies: { 200: momentView },
    problems: ['invalid_input', 'unauthenticated', 'not_found', 'unavailable'],
    async handle({ params: { id: vmid, revision }, query: { instance }, principal }) {
      const id = await findLife(vmid, instance, principal);
      const entry = await readEntry(history, id, revision);
      const found = await moments.find(id, revision);
      const isKnown = typeof found !== 'string';
      const lost = isKnown ? null : { code: found, message: LOST[found] };
      const told = isKnown ? tell(found, principal.role === 'admin') : UNTOLD;
      return { status: 200, body: { vmid, instance: id, entry: viewEntry(entry), lost, ...told } };
    },
  });
}

/** @throws NotFoundError if the instance has made no such step */
async function readEntry(
  history: Pick<History, 'steps'>,
  id: string,
  revision: number,
): Promise<HistoryEntry> {
  const steps = await history.steps(id, { after: Math.max(0, revision - 2), limit: 2 });
  const entry = steps.find((step) => step.revision === revision);
  if (!entry) throw new NotFoundError(`the instance ${id} has made no step ${revision}`);
  const before = steps.find((step) => step.revision === revision - 1)?.state ?? null;
  return { ...entry, before };
}

type Told = Pick<
  z.input<typeof momentView>,
  'status' | 'regions' | 'conditions' | 'actions' | 'context'
>;

const UNTOLD: Told = {
  status: null,
  regions: null,
  conditions: null,
  actions: null,
  context: null,
};

function tell({ snapshot, dueAt, causes }: Moment, isAdmin: boolean): Told {
  const state = snapshot as unknown as InstanceState;
  const timers = [...dueAt].map(([timerId, due]) => ({ timerId, dueAt: due }));
  const { status, conditions } = describeStatus(state);
  return {
    status,
    regions: viewRegions({ snapshot, timers, causes }),
    conditions: [...conditions],
    actions: explainWishes(state).map(viewWish),
    context: isAdmin ? (redact(snapshot.context) as Record<string, unknown>) : null,
  };
}
