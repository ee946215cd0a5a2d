import { useState } from 'react';

import { call } from '../api/client.ts';
import type { DnsReport } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

const REACHABLE = { true: 'reachable', false: 'unreachable', null: 'unknown' } as const;

export function EdgeParties() {
  const { value, problem, reload } = useResource('edge', (signal) =>
    call('GET /api/edge/health', { signal }),
  );
  return (
    <section aria-label="Edge">
      <div className="buttons">
        <button type="button" onClick={reload}>
          Read again
        </button>
      </div>
      <Problem problem={problem} />
      <Table
        caption="Third parties"
        none="No third party is configured."
        head={['Who', 'State', 'Answered in', 'Latest failure']}
        rows={(value?.parties ?? []).map((party) => ({
          key: party.name,
          cells: [
            party.name,
            <span key="state">
              <Badge word={REACHABLE[`${party.reachable}`]} /> <Age at={party.checkedAt} />
            </span>,
            party.latencyMs === null ? '–' : `${Math.round(party.latencyMs)} ms`,
            party.lastError ? (
              <>
                {party.lastError.code}, <Age at={party.lastError.at} />
              </>
            ) : (
              '–'
            ),
          ],
        }))}
      />
      <Dns />
    </section>
  );
}

function Dns() {
  const [report, setReport] = useState<DnsReport | null>(null);
  const { isRunning, problem, run } = useSubmission();
  const compare = (dryRun: 'true' | 'false') =>
    run(async () => {
      setReport(await call('GET /api/admin/dns/reconcile', { query: { dryRun } }));
    });
  return (
    <>
      <h2>DNS</h2>
      <div className="buttons">
        <button type="button" disabled={isRunning} onClick={() => compare('true')}>
          Compare
        </button>
        {report?.isDryRun && report.strays.length + report.missing.length > 0 && (
          <button type="button" disabled={isRunning} onClick={() => compare('false')}>
            Mend what differs
          </button>
        )}
      </div>
      <Problem problem={problem} />
      {report && (
        <>
          <p>
            Compared <Age at={report.checkedAt} />:{' '}
            {report.zones
              .map(
                ({ zone, ours, records, error }) => `${zone} ${error ?? `${ours} of ${records}`}`,
              )
              .join(', ')}
          </p>
          <Table
            caption="Strays"
            none="No record is stray."
            head={['Stray', 'Type', 'Content', 'Why', 'Removed']}
            rows={report.strays.map((one) => ({
              key: `${one.zone} ${one.name} ${one.type} ${one.content}`,
              cells: [one.name, one.type, one.content, one.why, one.isRemoved ? 'yes' : 'no'],
            }))}
          />
          <Table
            caption="Missing"
            none="No record is missing."
            head={['Missing', 'Zone', 'Number', 'Its server was told']}
            rows={report.missing.map((one) => ({
              key: `${one.zone} ${one.name}`,
              cells: [one.name, one.zone, one.vmid, one.isTold ? 'yes' : 'no'],
            }))}
          />
        </>
      )}
    </>
  );
}
