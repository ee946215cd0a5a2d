import { useState } from 'react';

import { call } from '../api/client.ts';
import type { Endpoints, JournalEntry } from '../api/schema.ts';
import { Age, Badge } from '../parts/badge.tsx';
import { Problem } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { hrefOf } from '../router.ts';
import { useResource } from '../state/resource.ts';
import { useSubmission } from '../state/submission.ts';

type Page = Endpoints['GET /api/servers/{id}/history']['reply'];

const movesOf = ({ moved, regions }: JournalEntry): string =>
  moved.map((region) => `${region}: ${regions[region]}`).join('; ');

/** Everything that happened, the latest first. `latest` is read again by itself. */
export function HistoryTab({ id, latest }: { readonly id: number; readonly latest: Page }) {
  const [older, setOlder] = useState<readonly JournalEntry[]>([]);
  const [before, setBefore] = useState(latest.nextBefore);
  const { isRunning, problem, run } = useSubmission();
  const known = new Set(latest.entries.map(({ seq }) => seq));
  const entries = [...latest.entries, ...older.filter(({ seq }) => !known.has(seq))];

  async function readOlder(): Promise<void> {
    if (before === null) return;
    const page = await call('GET /api/servers/{id}/history', { path: { id }, query: { before } });
    setOlder([...older, ...page.entries]);
    setBefore(page.nextBefore);
  }

  return (
    <>
      <Operations id={id} revision={latest.entries[0]?.revision ?? 0} />
      <h2>Journal</h2>
      <Table
        caption="Journal"
        head={['When', 'Step', 'What', 'What it changed']}
        rows={entries.map((entry) => ({
          key: String(entry.seq),
          cells: [
            <Age key="at" at={entry.at} />,
            <a key="step" href={hrefOf('servers', id, 'machine', entry.revision)}>
              {entry.revision}
            </a>,
            <code key="type">{entry.type}</code>,
            movesOf(entry),
          ],
        }))}
      />
      <Problem problem={problem} />
      {before !== null && (
        <button type="button" disabled={isRunning} onClick={() => run(readOlder)}>
          Older ones
        </button>
      )}
    </>
  );
}

function Operations({ id, revision }: { readonly id: number; readonly revision: number }) {
  const { value, problem } = useResource(`operations ${id} ${revision}`, (signal) =>
    call('GET /api/servers/{id}/operations', { path: { id }, query: { limit: 20 }, signal }),
  );
  return (
    <>
      <h2>Operations</h2>
      <Problem problem={problem} />
      {value && (
        <Table
          caption="Operations"
          head={['When', 'What', 'End', 'For whom', 'Failure']}
          rows={value.operations.map((one) => ({
            key: one.id,
            cells: [
              <Age key="at" at={one.acceptedAt} />,
              one.kind,
              <span key="end">
                <Badge word={one.state} /> {one.finishedAt !== null && <Age at={one.finishedAt} />}
              </span>,
              one.requestedBy,
              one.error?.message ?? '–',
            ],
          }))}
        />
      )}
    </>
  );
}
