import { z } from 'zod';

import { ConflictError } from '../../errors.ts';
import type { Audit } from '../../storage/audit.ts';
import type { BillingRun, BillingRuns } from '../../storage/billing-runs.ts';
import { ownEntry } from '../auth/audit-entry.ts';
import { type AnyEndpoint, endpoint, nothing } from '../endpoint.ts';
import { requireAdmin } from './reconcile.ts';

const LIST_MAX = 100;
const date = z.iso.datetime();

export const RUN_KINDS = ['reconcile', 'reminders', 'expiry'] as const;

const runView = z
  .object({
    id: z.string(),
    kind: z.string(),
    startedAt: date,
    finishedAt: date.nullable(),
    outcome: z
      .enum(['succeeded', 'failed', 'abandoned'])
      .nullable()
      .describe('null: it runs; `abandoned`: its node has died'),
    result: z.unknown(),
  })
  .meta({ id: 'BillingRun' });

const viewRun = ({ startedAt, finishedAt, ...run }: BillingRun) => ({
  ...run,
  startedAt: startedAt.toISOString(),
  finishedAt: finishedAt?.toISOString() ?? null,
});

/** What the billing schedule has done, and a way to have it done now. */
export function billingRunEndpoints({
  runs,
  audit,
  run,
}: {
  readonly runs: Pick<BillingRuns, 'list'>;
  readonly audit: Pick<Audit, 'write'>;
  /** null: one of this kind runs already. */
  readonly run: (kind: (typeof RUN_KINDS)[number]) => Promise<BillingRun | null>;
}): AnyEndpoint[] {
  const base = { tag: 'admin', params: nothing, query: nothing } as const;
  return [
    endpoint({
      ...base,
      operationId: 'listBillingRuns',
      summary: 'Runs of the billing schedule, the latest first',
      method: 'get',
      path: '/api/admin/billing/runs',
      body: nothing,
      replies: { 200: z.object({ ok: z.literal(true), runs: z.array(runView) }) },
      problems: ['unauthenticated', 'forbidden'],
      async handle({ principal }) {
        requireAdmin(principal);
        const rows = await runs.list(LIST_MAX);
        return { status: 200, body: { ok: true, runs: rows.map(viewRun) } };
      },
    }),
    endpoint({
      ...base,
      operationId: 'runBilling',
      summary: 'Do now what the billing schedule does at its time',
      method: 'post',
      path: '/api/admin/billing/runs',
      body: z.object({ kind: z.enum(RUN_KINDS) }),
      replies: { 200: z.object({ ok: z.literal(true), run: runView }) },
      problems: ['unauthenticated', 'forbidden', 'invalid_input', 'conflict'],
      async handle({ body, principal, caller }) {
        requireAdmin(principal);
        const done = await run(body.kind);
        if (!done) throw new ConflictError(`a run of ${body.kind} is on its way already`);
        const { userId } = principal;
        const detail = { kind: body.kind, outcome: done.outcome };
        await audit.write({ ...ownEntry('billing.run', userId, caller, detail), subjectId: null });
        return { status: 200, body: { ok: true, run: viewRun(done) } };
      },
    }),
  ];
}
