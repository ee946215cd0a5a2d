import { useEffect, useMemo, useState } from 'react';

import { call } from '../api/client.ts';
import type { Endpoints, JournalEntry } from '../api/schema.ts';
import { useResource } from './resource.ts';
import { useRested } from './rested.ts';

export type Entries = ReadonlyMap<number, JournalEntry>;
type Page = Endpoints['GET /api/servers/{id}/history']['reply'];
type Moment = Endpoints['GET /api/servers/{id}/moments/{revision}']['reply'];

const PAGE = 60;

/** The journal of one instance, as far as it has been looked at, and the moment that is looked at. */
export function useJournal(id: number, latest: Page, shown: number) {
  const [older, setOlder] = useState<Entries>(new Map());
  const entries = useMemo(
    () => new Map([...older, ...latest.entries.map((one) => [one.revision, one] as const)]),
    [older, latest],
  );
  const asked = useRested(shown);
  const { value, problem } = useResource(`moment ${id} ${asked}`, (signal) =>
    call('GET /api/servers/{id}/moments/{revision}', { path: { id, revision: asked }, signal }),
  );
  const moment = useLatest(value);
  const entry = moment?.entry;
  // What is far from the end is read from where it is looked at.
  const isNear =
    !entry || (entries.has(entry.revision) && entries.has(Math.max(1, entry.revision - 1)));
  const before = isNear ? null : entry.seq + 1;
  const page = useResource(`journal ${id} ${before}`, async (signal) =>
    before === null
      ? null
      : call('GET /api/servers/{id}/history', {
          path: { id },
          query: { before, limit: PAGE },
          signal,
        }),
  );
  useEffect(() => {
    const read = page.value?.entries ?? [];
    if (read.length > 0) {
      setOlder((known) => new Map([...known, ...read.map((one) => [one.revision, one] as const)]));
    }
  }, [page.value]);
  return { entries, moment, problem: problem ?? page.problem };
}

/** What was read last stays until the next is there: nothing flickers. */
function useLatest(value: Moment | null): Moment | null {
  const [latest, setLatest] = useState(value);
  useEffect(() => {
    if (value) setLatest(value);
  }, [value]);
  return value ?? latest;
}
