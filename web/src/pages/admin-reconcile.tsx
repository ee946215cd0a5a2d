import { call } from '../api/client.ts';
import type { ReconcileReport } from '../api/schema.ts';
import { Age } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const WAIT_S = 30;

export function Reconcile() {
  const { value, problem, reload } = useResource('reconcile', (signal) =>
    call('GET /api/admin/reconcile', { signal }),
  );
  const { isRunning, problem: refusal, run } = useSubmission();

  async function compare(): Promise<void> {
    await call('POST /api/admin/reconcile', { headers: { prefer: `wait=${WAIT_S}` } });
    reload();
  }

  return (
    <section aria-label="Debts">
      <div className="buttons">
        <button type="button" disabled={isRunning} onClick={() => run(compare)}>
          Compare now
        </button>
        {value && <Age at={value.checkedAt} before="compared " />}
      </div>
      <Problem problem={problem ?? refusal} />
      {value && <Report report={value} />}
    </section>
  );
}

function Report({ report }: { readonly report: ReconcileReport }) {
  return (
    <>
      <h2>Debts</h2>
      <Table
        caption="Debts"
        none="Nothing is owed."
        head={['Number', 'What', 'Why', 'Attempts', 'Since', 'Tried']}
        rows={report.debts.map((one) => ({
          key: `${one.instanceId} ${one.kind}`,
          cells: [
            one.vmid,
            one.kind,
            one.message,
            one.attempts,
            <Age key="since" at={one.createdAt} after="" />,
            <Age key="tried" at={one.triedAt} />,
          ],
        }))}
      />
      <h2>Containers that no server of ours has</h2>
      <Table
        caption="Containers that no server of ours has"
        head={['Number', 'Node', 'Name', 'Marker', 'Will be removed']}
        rows={report.containersWithoutRow.map((one) => ({
          key: `${one.node} ${one.vmid}`,
          cells: [
            ...[one.vmid, one.node, one.name ?? '–'],
            ...[one.isMarkerKnown ? (one.marker ?? 'none') : 'unknown', one.isOwed ? 'yes' : 'no'],
          ],
        }))}
      />
      <h2>Servers without a container</h2>
      <Table
        caption="Servers without a container"
        head={['Number', 'Name', 'Node', 'Believed', 'Found']}
        rows={report.rowsWithoutContainer.map((one) => ({
          key: one.instanceId,
          cells: [one.vmid, one.hostname, one.node ?? '–', one.host, one.found],
        }))}
      />
      <h2>Effects that do not get done</h2>
      <Table
        caption="Effects that do not get done"
        head={['Effect', 'Kind', 'Begun', 'At it now', 'Since']}
        rows={report.stuckEffects.map((one) => ({
          key: one.key,
          cells: [
            ...[one.key, one.kind, one.claims, one.isHeld ? 'yes' : 'no'],
            <Age key="since" at={one.createdAt} after="" />,
          ],
        }))}
      />
      <h2>Deadlines that have passed</h2>
      <Table
        caption="Deadlines that have passed"
        head={['Server', 'Deadline', 'Was due']}
        rows={report.timersOverdue.map((one) => ({
          key: `${one.instanceId} ${one.timerId}`,
          cells: [one.instanceId, one.timerId, <Age key="due" at={one.dueAt} />],
        }))}
      />
    </>
  );
}
