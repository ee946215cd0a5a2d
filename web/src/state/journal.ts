import { useEffect, useMemo, useState } from 'react';

import { call } from '../api/client.ts';
import type { Endpoints, JournalEntry } from '../api/schema.ts';
import { useResource } from './resource.ts';
import { useKept, useRested } from './rested.ts';

export type Entries = ReadonlyMap<number, JournalEntry>;
type Page = Endpoints['GET /api/servers/{id}/history']['reply'];

const PAGE = 60;

/** The journal of one instance, as far as it has been looked at, and the moment that is looked at. */
export function useJournal(id: number, latest: Page, shown: number) {
  // What was read once stays known: of the latest, the oldest go as new ones come.
  const [read, setRead] = useState<Entries>(new Map());
  const entries = useMemo(() => withEntries(read, latest), [read, latest]);
  useEffect(() => setRead((known) => withEntries(known, latest)), [latest]);
  const asked = useRested(shown);
  const { value, problem } = useResource(`moment ${id} ${asked}`, (signal) =>
    call('GET /api/servers/{id}/moments/{revision}', { path: { id, revision: asked }, signal }),
  );
  const moment = useKept(value);
  const entry = moment?.entry;
  // What is far from the end is read from where it is looked at.
  const isNear =
    !entry || (entries.has(entry.revision) && entries.has(Math.max(1, entry.revision - 1)));
  const before = isNear ? null : entry.seq + 1;
  const older = useResource(`journal ${id} ${before}`, async (signal) =>
    before === null
      ? null
      : await call('GET /api/servers/{id}/history', {
          path: { id },
          query: { before, limit: PAGE },
          signal,
        }),
  );
  useEffect(() => {
    const page = older.value;
    if (page !== null) setRead((known) => withEntries(known, page));
  }, [older.value]);
  return { entries, moment, problem: problem ?? older.problem };
}

const withEntries = (known: Entries, page: Page): Entries =>
  new Map([...known, ...page.entries.map((one) => [one.revision, one] as const)]);
