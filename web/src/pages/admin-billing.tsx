import { call } from '../api/client.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const KINDS = ['reconcile', 'reminders', 'expiry'] as const;

export function BillingRuns() {
  const { value, problem, reload } = useResource('billing runs', (signal) =>
    call('GET /api/admin/billing/runs', { signal }),
  );
  const { isRunning, problem: refusal, run } = useSubmission();
  return (
    <section aria-label="Billing runs">
      <div className="buttons">
        {KINDS.map((kind) => (
          <button
            key={kind}
            type="button"
            disabled={isRunning}
            onClick={() =>
              run(() => call('POST /api/admin/billing/runs', { body: { kind } }).then(reload))
            }
          >
            Run {kind} now
          </button>
        ))}
      </div>
      <Problem problem={problem ?? refusal} />
      <Table
        caption="Billing runs"
        head={['Began', 'What', 'End', 'Result']}
        rows={(value?.runs ?? []).map(({ id, kind, startedAt, finishedAt, outcome, result }) => ({
          key: id,
          cells: [
            <Age key="at" at={startedAt} />,
            kind,
            <span key="end">
              <Badge word={outcome ?? 'running'} /> {finishedAt && <Age at={finishedAt} />}
            </span>,
            <code key="result">{JSON.stringify(result)}</code>,
          ],
        }))}
      />
    </section>
  );
}
